namespace Portable.Decoding.Tokenization;

/// <summary>Takes a number of a character off the start and the end of each token.</summary>
internal sealed class StripDecoder(DecoderStage next, char content, int start, int stop) : DecoderStage(next)
{
    private int _toStrip;
    private int _held;
    private bool _open;
    private bool _handed;

    public override void Token(ReadOnlySpan<char> text, bool continues)
    {
        if (!continues)
        {
            Close();
            (_open, _handed, _toStrip) = (true, false, start);
        }

        while (_toStrip > 0 && text.Length > 0)
        {
            if (text[0] != content)
            {
                _toStrip = 0;
                break;
            }

            text = text[1..];
            _toStrip--;
        }

        int kept = text.Length;
        while (kept > 0 && text.Length - kept < stop && text[kept - 1] == content)
            kept--;
        if (kept > 0)
        {
            Release(_held);
            _held = 0;
            Hand(text[..kept]);
        }

        // Of a row of the character at the end only the last few may turn out to be the end's.
        int held = _held + text.Length - kept;
        Release(held - stop);
        _held = Math.Min(held, stop);
    }

    public override void End()
    {
        Close();
        base.End();
    }

    private void Close()
    {
        if (_open && !_handed)
            Next.Token([], continues: false);
        _open = false;
        _held = 0;
    }

    private void Release(int count)
    {
        for (; count > 0; count--)
            Hand([content]);
    }

    private void Hand(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
            return;
        Next.Token(text, continues: _handed);
        _handed = true;
    }
}
