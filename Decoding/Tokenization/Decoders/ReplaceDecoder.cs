namespace Portable.Decoding.Tokenization;

/// <summary>Replaces a pattern within each token; a token in several parts only where the pattern is one character.</summary>
internal sealed class ReplaceDecoder(DecoderStage next, TextPattern pattern, string content) : DecoderStage(next)
{
    public override void Token(ReadOnlySpan<char> text, bool continues)
    {
        int done = 0;
        bool more = continues;
        TextPattern.MatchEnumerator matches = pattern.Matches(text);
        while (matches.MoveNext())
        {
            Hand(text[done..matches.Start], ref more);
            Hand(content, ref more);
            done = matches.End;
        }

        if (done == 0)
            Next.Token(text, continues);
        else
            Hand(text[done..], ref more);
    }

    private void Hand(ReadOnlySpan<char> text, ref bool continues)
    {
        Next.Token(text, continues);
        continues = true;
    }
}
