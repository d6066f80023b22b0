namespace Portable.Decoding.Tokenization;

/// <summary>What a file looks for in a text: a fixed string or a regular expression.</summary>
internal sealed class TextPattern
{
    public TextPattern(string literal) => Literal = literal;

    public TextPattern(TokenRegex regex) => Regex = regex;

    public string? Literal { get; }

    public TokenRegex? Regex { get; }

    public MatchEnumerator Matches(ReadOnlySpan<char> text) => new(this, text);

    /// <summary>All matches from left to right; an empty one right behind another match doesn't count.</summary>
    public ref struct MatchEnumerator(TextPattern pattern, ReadOnlySpan<char> text)
    {
        private readonly ReadOnlySpan<char> _text = text;
        private long _budget = TokenRegex.Budget(text.Length);
        private int _next;
        private int _lastEnd = -1;

        public int Start { get; private set; }

        public int End { get; private set; }

        public bool MoveNext()
        {
            while (_next <= _text.Length)
            {
                if (!TryFind(out int start, out int end))
                    return false;
                if (start == end && end == _lastEnd)
                {
                    if (end >= _text.Length)
                        return false;
                    CodePoints.At(_text, end, out int length);
                    _next = end + length;
                    _lastEnd = -1;
                    continue;
                }

                (Start, End) = (start, end);
                _next = _lastEnd = end;
                return true;
            }

            return false;
        }

        private bool TryFind(out int start, out int end)
        {
            if (pattern.Regex is { } regex)
                return regex.TryFind(_text, _next, ref _budget, out start, out end);
            start = pattern.Literal!.Length == 0 ? -1 : _text[_next..].IndexOf(pattern.Literal, StringComparison.Ordinal);
            if (start >= 0)
                start += _next;
            end = start + pattern.Literal.Length;
            return start >= 0;
        }
    }
}
