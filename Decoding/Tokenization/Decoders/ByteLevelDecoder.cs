using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Reads tokens in the byte alphabet; a token with any other character stands for its own UTF-8. The bytes of all tokens
/// are one text.
/// </summary>
internal sealed class ByteLevelDecoder(DecoderStage next) : DecoderStage(next)
{
    private readonly char[] _characters = new char[512];
    private Utf8Assembler _assembler;
    private int _count;
    private bool _begun;

    public override void Token(ReadOnlySpan<char> text, bool continues)
    {
        bool alphabet = true;
        foreach (char c in text)
            alphabet &= ByteAlphabet.ToByte(c) >= 0;
        if (alphabet)
        {
            foreach (char c in text)
                Add((byte)ByteAlphabet.ToByte(c));
        }
        else
        {
            Span<byte> utf8 = stackalloc byte[4];
            foreach (Rune rune in text.EnumerateRunes())
            {
                foreach (byte b in utf8[..rune.EncodeToUtf8(utf8)])
                    Add(b);
            }
        }

        Hand();
    }

    public override void End()
    {
        if (_assembler.PendingCount > 0)
            _characters[_count++] = '\uFFFD';
        _assembler.Reset();
        Hand();
        base.End();
    }

    private void Add(byte value)
    {
        _count += _assembler.Add(value, _characters.AsSpan(_count));
        if (_count > _characters.Length - 8)
            Hand();
    }

    private void Hand()
    {
        if (_count > 0)
            Next.Token(_characters.AsSpan(0, _count), continues: _begun);
        _begun |= _count > 0;
        _count = 0;
    }
}
