namespace Portable.Decoding.Tokenization;

/// <summary>Makes one token of all.</summary>
internal sealed class FuseDecoder(DecoderStage next) : DecoderStage(next)
{
    private bool _begun;

    public override void Token(ReadOnlySpan<char> text, bool continues)
    {
        Next.Token(text, continues: _begun);
        _begun = true;
    }
}
