namespace Portable.Decoding.Tokenization;

/// <summary>Splits at the matches of a string or a regular expression.</summary>
internal sealed class PatternSplit(TextPattern pattern, SplitBehavior behavior, bool invert) : SplitStage(behavior, invert)
{
    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        var parts = new Parts(this, piece, atStart, ids);
        int done = 0;
        TextPattern.MatchEnumerator matches = pattern.Matches(piece);
        while (matches.MoveNext())
        {
            parts.Add(done, matches.Start, match: false);
            parts.Add(matches.Start, matches.End, match: true);
            done = matches.End;
        }

        parts.Add(done, piece.Length, match: false);
        parts.End();
    }
}
