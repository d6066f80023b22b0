using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>Rewrites a text code point by code point.</summary>
internal static class CodePointFilter
{
    public static string Map(string text, Action<int, StringBuilder> map)
    {
        var output = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            map(rune.Value, output);
        return output.ToString();
    }
}
