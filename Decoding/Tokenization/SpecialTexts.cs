using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>Knows the contents of special tokens and puts guards into text that spells one or a part of one.</summary>
internal sealed class SpecialTexts
{
    private readonly CharTrie _contents = new();
    private readonly string[] _texts;

    public SpecialTexts(IEnumerable<string> contents)
    {
        _texts = [.. contents];
        foreach (string content in _texts)
            _contents.Add(content, content.Length);
    }

    /// <summary>Guards around every character: nothing can be spelt across them.</summary>
    public static string GuardAll(string text, char guard)
    {
        var guarded = new StringBuilder(2 * text.Length + 2);
        foreach (Rune rune in text.EnumerateRunes())
            guarded.Append(guard).Append(guard).Append(rune);
        return guarded.Length == 0 ? "" : guarded.Append(guard).ToString();
    }

    public string Guard(string text, char guard)
    {
        if (_texts.Length == 0 || text.Length == 0)
            return text;
        StringBuilder? guarded = null;
        int copied = 0;

        void Put(int position, int count = 1)
        {
            guarded ??= new StringBuilder(text.Length + 8);
            guarded.Append(text, copied, position - copied).Append(guard, count);
            copied = position;
        }

        if (BeginsInside(text))
            Put(0);
        for (int at = 0; at < text.Length; at++)
        {
            int node = CharTrie.Root;
            int end = at;
            bool single = false, spells = false, reachesEnd = true;
            CodePoints.At(text, at, out int first);
            if (char.IsLowSurrogate(text[at]) && at > 0 && char.IsHighSurrogate(text[at - 1]))
                continue;
            while (end < text.Length)
            {
                if (!_contents.TryStep(ref node, text[end]))
                {
                    reachesEnd = false;
                    break;
                }

                end++;
                if (_contents.ValueOf(node) >= 0)
                {
                    single |= end - at <= first;
                    spells |= end - at > first;
                }
            }

            // Nothing lies inside a token of one character: two guards before it say the same.
            if (single)
                Put(at, 2);
            if (spells || (reachesEnd && at + first < text.Length))
                Put(at + first);
            else if (reachesEnd)
                Put(text.Length);
        }

        return guarded is null ? text : guarded.Append(text, copied, text.Length - copied).ToString();
    }

    // Whether the text starts with the rest of a token, or lies within one.
    private bool BeginsInside(string text)
    {
        foreach (string content in _texts)
        {
            for (int i = 1; i < content.Length; i++)
            {
                int length = Math.Min(content.Length - i, text.Length);
                if (content[i] == text[0] && string.CompareOrdinal(content, i, text, 0, length) == 0)
                    return true;
            }
        }

        return false;
    }
}
