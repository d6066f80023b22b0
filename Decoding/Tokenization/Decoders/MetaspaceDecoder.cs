namespace Portable.Decoding.Tokenization;

/// <summary>Reads marks as spaces; in the first token they vanish where the encoder put them.</summary>
internal sealed class MetaspaceDecoder(DecoderStage next, char mark, bool prepended) : DecoderStage(next)
{
    private int _tokens;

    public override void Token(ReadOnlySpan<char> text, bool continues)
    {
        if (!continues && _tokens < 2)
            _tokens++;
        bool vanish = _tokens == 1 && prepended;
        bool more = continues;
        int at;
        while ((at = text.IndexOf(mark)) >= 0)
        {
            Next.Token(text[..at], more);
            if (!vanish)
                Next.Token(" ", continues: true);
            more = true;
            text = text[(at + 1)..];
        }

        Next.Token(text, more);
    }
}
