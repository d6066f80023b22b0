using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Reads runs of byte tokens (<c>&lt;0xNN&gt;</c>) as UTF-8. A run that is not UTF-8 gives one U+FFFD for each of its
/// bytes; a stream can't take back the characters it has shown before that came out, so there they stay.
/// </summary>
internal sealed class ByteFallbackDecoder(DecoderStage next, bool whole) : DecoderStage(next)
{
    private readonly List<byte> _run = [];
    private Utf8Assembler _assembler;
    private bool _inRun;
    private bool _shownInRun;
    private bool _bad;

    public override void Token(ReadOnlySpan<char> text, bool continues)
    {
        if (continues || !Vocabulary.TryParseByteToken(text, out byte value))
        {
            EndRun();
            Next.Token(text, continues);
            return;
        }

        if (!_inRun)
        {
            (_inRun, _shownInRun, _bad) = (true, false, false);
            _assembler.Reset();
        }

        if (whole)
        {
            _run.Add(value);
            return;
        }

        if (_bad)
        {
            Next.Token("\uFFFD", continues: false);
            return;
        }

        Span<char> characters = stackalloc char[4];
        int waiting = _assembler.PendingCount;
        int count = _assembler.Add(value, characters);
        if (count == 0)
            return;

        // The assembler reports what is ill-formed as U+FFFD; a real U+FFFD is the end of its three bytes EF BF BD.
        bool sound = _assembler.PendingCount == 0 && (characters[0] != '\uFFFD' || (waiting == 2 && value == 0xBD && count == 1));
        if (sound)
        {
            Next.Token(characters[..count], continues: _shownInRun);
            _shownInRun = true;
            return;
        }

        _bad = true;
        _assembler.Reset();
        for (int i = 0; i <= waiting; i++)
            Next.Token("\uFFFD", continues: false);
    }

    public override void End()
    {
        EndRun();
        base.End();
    }

    private void EndRun()
    {
        if (!_inRun)
            return;
        _inRun = false;
        if (!whole)
        {
            for (int i = _assembler.PendingCount; i > 0; i--)
                Next.Token("\uFFFD", continues: false);
            _assembler.Reset();
            return;
        }

        string text = Encoding.UTF8.GetString([.. _run]);
        if (System.Text.Unicode.Utf8.IsValid([.. _run]))
        {
            Next.Token(text, continues: false);
        }
        else
        {
            for (int i = 0; i < _run.Count; i++)
                Next.Token("\uFFFD", continues: false);
        }

        _run.Clear();
    }
}
