namespace Portable.Decoding.Tokenization;

/// <summary>
/// Puts a space before each token but the first, except where the prefix says that the word goes on; the clean-up takes
/// the space before punctuation and contractions away, within each token.
/// </summary>
internal sealed class WordPieceDecoder(DecoderStage next, string prefix, bool cleanup) : DecoderStage(next)
{
    private static readonly (string Found, string Written)[] CleanUps =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    private bool _begun;

    public override void Token(ReadOnlySpan<char> text, bool continues)
    {
        bool joined = !_begun || text.StartsWith(prefix, StringComparison.Ordinal);
        if (_begun && joined)
            text = text[prefix.Length..];
        _begun = true;
        if (!cleanup)
        {
            if (!joined)
                Next.Token(" ", continues: false);
            Next.Token(text, continues: !joined);
            return;
        }

        string cleaned = joined ? text.ToString() : string.Concat(" ", text);
        foreach ((string found, string written) in CleanUps)
            cleaned = cleaned.Replace(found, written, StringComparison.Ordinal);
        Next.Token(cleaned, continues: false);
    }
}
