namespace Portable.Decoding.Tokenization;

/// <summary>Splits at single code points of a kind: digits, punctuation, white space.</summary>
internal sealed class CodePointSplit(Func<int, bool> matches, SplitBehavior behavior) : SplitStage(behavior, invert: false)
{
    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        var parts = new Parts(this, piece, atStart, ids);
        int done = 0;
        for (int at = 0; at < piece.Length;)
        {
            int codePoint = CodePoints.At(piece, at, out int length);
            if (matches(codePoint))
            {
                parts.Add(done, at, match: false);
                parts.Add(at, at + length, match: true);
                done = at + length;
            }

            at += length;
        }

        parts.Add(done, piece.Length, match: false);
        parts.End();
    }
}
