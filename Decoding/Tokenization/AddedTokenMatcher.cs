using System.Buffers;

namespace Portable.Decoding.Tokenization;

/// <summary>Finds added tokens in a text: leftmost first, the longest of those that begin together. Thread-safe.</summary>
internal sealed class AddedTokenMatcher
{
    /// <summary>Bounds the work at each place of a text.</summary>
    public const int LongestContent = 1024;

    private readonly CharTrie _trie = new();
    private readonly SearchValues<char> _firstCharacters;
    private readonly IReadOnlyList<AddedToken> _tokens;

    /// <param name="tokens">The tokens.</param>
    /// <param name="contents">What to look for, one for each token; empty ones are never found.</param>
    public AddedTokenMatcher(IReadOnlyList<AddedToken> tokens, IReadOnlyList<string> contents)
    {
        _tokens = tokens;
        for (int i = 0; i < tokens.Count; i++)
        {
            if (contents[i].Length > 0)
                _trie.Add(contents[i], i);
        }

        _firstCharacters = SearchValues.Create([.. contents.Where(c => c.Length > 0).Select(c => c[0]).Distinct()]);
    }

    /// <summary>Calls back for the tokens and the text between them, in order.</summary>
    /// <param name="text">The text.</param>
    /// <param name="special">Whether special tokens are tokens or text.</param>
    /// <param name="guards">Where guards were taken out of the text; a special token with one inside is text.</param>
    /// <param name="onText">Gets start and end of the text between.</param>
    /// <param name="onToken">Gets the id.</param>
    public void Split(
        ReadOnlySpan<char> text, SpecialTokens special, GuardPositions? guards, Action<int, int> onText, Action<int> onToken)
    {
        int done = 0;
        for (int at = 0; at < text.Length;)
        {
            int skip = text[at..].IndexOfAny(_firstCharacters);
            if (skip < 0)
                break;
            at += skip;
            int index = LongestAt(text, at, out int end);
            if (index < 0)
            {
                at++;
                continue;
            }

            AddedToken token = _tokens[index];
            if (token.Special && (special == SpecialTokens.AsText || guards is not null && guards.Inside(at, end)))
            {
                // What was written by a user is passed over as text, but a token of the template that begins inside
                // or is a beginning of it still counts.
                if (guards is null || special == SpecialTokens.AsText || !TryUnguarded(text, ref at, ref end, guards, out token))
                {
                    at = end;
                    continue;
                }
            }

            int start = at;
            at = end;
            if (token.SingleWord && !StandsAlone(text, start, end))
                continue;
            if (token.StripLeft)
                start = Math.Max(text[..start].TrimEnd().Length, Math.Min(done, start));
            if (token.StripRight)
                end = text.Length - text[end..].TrimStart().Length;
            if (done < start)
                onText(done, start);
            onToken(token.Id);
            done = end;
        }

        if (done < text.Length)
            onText(done, text.Length);
    }

    /// <summary>Whether any content that is looked for is found at this place, for a token of the given kind.</summary>
    public int LongestAt(ReadOnlySpan<char> text, int at, out int end)
    {
        int node = CharTrie.Root;
        int found = -1;
        end = at;
        for (int i = at; i < text.Length && _trie.TryStep(ref node, text[i]); i++)
        {
            int value = _trie.ValueOf(node);
            if (value >= 0)
                (found, end) = (value, i + 1);
        }

        return found;
    }

    private bool TryUnguarded(ReadOnlySpan<char> text, ref int at, ref int end, GuardPositions guards, out AddedToken token)
    {
        for (int start = at; start < end; start++)
        {
            int node = CharTrie.Root;
            int best = -1, bestEnd = start;
            for (int i = start; i < text.Length && _trie.TryStep(ref node, text[i]); i++)
            {
                int value = _trie.ValueOf(node);
                if (value >= 0 && _tokens[value].Special && !guards.Inside(start, i + 1))
                    (best, bestEnd) = (value, i + 1);
            }

            if (best >= 0)
            {
                (at, end, token) = (start, bestEnd, _tokens[best]);
                return true;
            }
        }

        token = null!;
        return false;
    }

    private static bool StandsAlone(ReadOnlySpan<char> text, int start, int end)
    {
        bool before = start > 0 && CodePoints.IsWord(CodePoints.At(text, start - CodePoints.LengthBefore(text, start), out _));
        bool after = end < text.Length && CodePoints.IsWord(CodePoints.At(text, end, out _));
        return !before && !after;
    }
}
