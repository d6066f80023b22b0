using System.Globalization;

namespace Portable;

/// <summary>
/// Makes the text of an error fit for one line of a terminal or a log, whatever an untrusted file or request put into it.
/// </summary>
internal static class ErrorText
{
    /// <summary>The longest name of a file, a tensor or a field that is shown.</summary>
    public const int MostOfName = 240;

    /// <summary>The longest statement of a problem that is shown.</summary>
    public const int MostOfProblem = 1000;

    /// <summary>The longest message.</summary>
    public const int MostOfMessage = 2000;

    /// <summary>
    /// Cuts a long text in its middle: the end of a path is the file's name, and the end of a problem is what to do.
    /// </summary>
    public static string Cut(string text, int most)
    {
        if (text.Length <= most)
            return text;
        int head = most / 2, tail = text.Length - (most - head - 1);
        // A surrogate pair stays whole or goes.
        if (char.IsHighSurrogate(text[head - 1]))
            head--;
        if (char.IsLowSurrogate(text[tail]))
            tail++;
        return string.Concat(text.AsSpan(0, head), "…", text.AsSpan(tail));
    }

    /// <summary>
    /// Line ends and tabs become spaces; whatever else could drive a terminal, reorder a line or break an encoder becomes
    /// U+FFFD: control characters, marks of direction, halves of surrogate pairs.
    /// </summary>
    public static string Printable(string text)
    {
        text = Cut(text, MostOfMessage);
        return string.Create(text.Length, text, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
                span[i] = Printable(source, i);
        });
    }

    private static char Printable(string text, int i)
    {
        char c = text[i];
        return c switch
        {
            '\n' or '\r' or '\t' or '\u2028' or '\u2029' => ' ',
            '\u061C' or '\u200E' or '\u200F' or (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') => '\uFFFD',
            _ when char.IsHighSurrogate(c) => i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]) ? c : '\uFFFD',
            _ when char.IsLowSurrogate(c) => i > 0 && char.IsHighSurrogate(text[i - 1]) ? c : '\uFFFD',
            _ => char.GetUnicodeCategory(c) == UnicodeCategory.Control ? '\uFFFD' : c,
        };
    }
}
