namespace Portable.Decoding.Tokenization;

/// <summary>A space between tokens: what is done where a file names no decoder.</summary>
internal sealed class JoinDecoder(DecoderStage next) : DecoderStage(next)
{
    private bool _begun;

    public override void Token(ReadOnlySpan<char> text, bool continues)
    {
        if (_begun && !continues)
            Next.Token(" ", continues: false);
        _begun = true;
        Next.Token(text, continues);
    }
}
