using System.Globalization;
using System.Text;

namespace Portable.Decoding.Templates;

internal static partial class PyText
{
    private static readonly System.Buffers.SearchValues<char> LineEnds =
        System.Buffers.SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029");

    /// <summary>The number of code points; an unpaired surrogate counts as one.</summary>
    public static int Length(ReadOnlySpan<char> text)
    {
        int at = text.IndexOfAnyInRange('\uD800', '\uDBFF');
        if (at < 0)
            return text.Length;
        int count = text.Length;
        for (; at + 1 < text.Length; at++)
        {
            if (char.IsSurrogatePair(text[at], text[at + 1]))
                count--;
        }

        return count;
    }

    public static bool IsNarrow(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDBFF') < 0;

    /// <summary>The UTF-16 offset of a code point, counted from a known one.</summary>
    public static int Offset(string text, int codePoints)
    {
        int at = 0;
        for (; codePoints > 0 && at < text.Length; codePoints--)
            at += Width(text, at);
        return at;
    }

    public static int Width(string text, int at) => char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;

    /// <summary>The code points, each as a string.</summary>
    public static IEnumerable<string> Split(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int width = Width(text, at);
            yield return width == 1 ? Single(text[at]) : text.Substring(at, 2);
            at += width;
        }
    }

    /// <summary>Order by code points: surrogates stand for what lies above every other UTF-16 unit.</summary>
    public static int Compare(string a, string b)
    {
        int common = a.AsSpan().CommonPrefixLength(b);
        if (common == a.Length || common == b.Length)
            return a.Length.CompareTo(b.Length);
        char x = a[common], y = b[common];
        bool wideX = InPair(a, common), wideY = InPair(b, common);
        return wideX != wideY ? (wideX ? 1 : -1) : x.CompareTo(y);
    }

    /// <summary>What Python's <c>str.isspace</c> and <c>strip</c> take for white space.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    public static string Strip(string text, bool start = true, bool end = true)
    {
        int from = 0, to = text.Length;
        while (start && from < to && IsSpace(text[from]))
            from++;
        while (end && to > from && IsSpace(text[to - 1]))
            to--;
        return text[from..to];
    }

    public static string Strip(string text, string set, bool start = true, bool end = true)
    {
        HashSet<string> members = [.. Split(set)];
        int from = 0, to = text.Length;
        while (start && from < to && members.Contains(text.Substring(from, Width(text, from))))
            from += Width(text, from);
        while (end && to > from)
        {
            int width = to - from > 1 && char.IsSurrogatePair(text[to - 2], text[to - 1]) ? 2 : 1;
            if (!members.Contains(text.Substring(to - width, width)))
                break;
            to -= width;
        }

        return text[from..to];
    }

    /// <summary>Python's <c>splitlines</c>.</summary>
    public static List<string> Lines(RenderContext context, string text, bool keepEnds = false)
    {
        var lines = new List<string>();
        for (int at = 0; at < text.Length;)
        {
            int end = text.AsSpan(at).IndexOfAny(LineEnds);
            end = end < 0 ? text.Length : at + end;
            int next = end == text.Length ? end : text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? end + 2 : end + 1;
            context.AllocateText(next - at);
            lines.Add(text[at..(keepEnds ? next : end)]);
            at = next;
        }

        return lines;
    }

    public static string Upper(string text) => MapCase(text, static (rune, output) => AppendUpper(output, rune));

    public static string Lower(string text)
    {
        if (Ascii.IsValid(text))
            return text.ToLowerInvariant();
        var output = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length; at += Width(text, at))
            AppendLower(output, text, at);
        return output.ToString();
    }

    public static string Capitalize(string text)
    {
        if (text.Length == 0)
            return text;
        int first = Width(text, 0);
        return TitleCase(text[..first]) + Lower(text)[Lower(text[..first]).Length..];
    }

    public static string SwapCase(string text)
    {
        var output = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length; at += Width(text, at))
        {
            if (Category(text, at) == UnicodeCategory.UppercaseLetter)
                AppendLower(output, text, at);
            else
                output.Append(Upper(text.Substring(at, Width(text, at))));
        }

        return output.ToString();
    }

    /// <summary>Python's <c>str.title</c>: every run of letters starts with a capital.</summary>
    public static string Title(string text)
    {
        var output = new StringBuilder(text.Length);
        bool inWord = false;
        for (int at = 0; at < text.Length; at += Width(text, at))
        {
            if (inWord)
                AppendLower(output, text, at);
            else
                output.Append(TitleCase(text.Substring(at, Width(text, at))));
            inWord = IsCased(text, at);
        }

        return output.ToString();
    }

    /// <summary>Unicode's full case folding for letters whose capital is longer, lower case for the others.</summary>
    public static string CaseFold(string text) =>
        Lower(MapCase(text, static (rune, output) =>
        {
            if (SpecialUpper.TryGetValue(rune.Value, out string? special))
                output.Append(special);
            else
                output.Append(rune.Value switch { 'ς' => "σ", 'ſ' => "s", 'µ' => "μ", _ => rune.ToString() });
        })).Replace('ς', 'σ');

    public static UnicodeCategory Category(string text, int at) => CharUnicodeInfo.GetUnicodeCategory(text, at);

    public static bool IsCased(string text, int at) =>
        Category(text, at) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    public static bool IsLower(string text) => HasOnlyCase(text, UnicodeCategory.LowercaseLetter);

    public static bool IsUpper(string text) => HasOnlyCase(text, UnicodeCategory.UppercaseLetter);

    /// <summary>Whether the text is not empty and every code point passes.</summary>
    public static bool All(string text, Func<string, int, bool> passes)
    {
        for (int at = 0; at < text.Length; at += Width(text, at))
        {
            if (!passes(text, at))
                return false;
        }

        return text.Length > 0;
    }

    private static bool HasOnlyCase(string text, UnicodeCategory wanted)
    {
        bool any = false;
        for (int at = 0; at < text.Length; at += Width(text, at))
        {
            if (!IsCased(text, at))
                continue;
            if (Category(text, at) != wanted)
                return false;
            any = true;
        }

        return any;
    }

    private static string Single(char c) => c < SingleTexts.Length ? SingleTexts[c] : c.ToString();

    private static readonly string[] SingleTexts = [.. Enumerable.Range(0, 128).Select(i => ((char)i).ToString())];

    private static bool InPair(string text, int at) =>
        char.IsHighSurrogate(text[at]) ? at + 1 < text.Length && char.IsLowSurrogate(text[at + 1])
        : char.IsLowSurrogate(text[at]) && at > 0 && char.IsHighSurrogate(text[at - 1]);

    private static string MapCase(string text, Action<Rune, StringBuilder> map)
    {
        var output = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length; at += Width(text, at))
        {
            if (Rune.TryGetRuneAt(text, at, out Rune rune))
                map(rune, output);
            else
                output.Append(text[at]);
        }

        return output.ToString();
    }

    private static string TitleCase(string codePoint)
    {
        string upper = Upper(codePoint);
        return codePoint[0] switch
        {
            >= '\u01C4' and <= '\u01C6' => "\u01C5",
            >= '\u01C7' and <= '\u01C9' => "\u01C8",
            >= '\u01CA' and <= '\u01CC' => "\u01CB",
            >= '\u01F1' and <= '\u01F3' => "\u01F2",
            _ => upper.Length > 1 && !char.IsSurrogate(upper[0]) ? upper[..1] + Lower(upper[1..]) : upper,
        };
    }

    private static void AppendUpper(StringBuilder output, Rune rune)
    {
        if (rune.Value == 'ı')
            output.Append('I');
        else if (SpecialUpper.TryGetValue(rune.Value, out string? special))
            output.Append(special);
        else
            output.Append(Rune.ToUpperInvariant(rune).ToString());
    }

    private static void AppendLower(StringBuilder output, string text, int at)
    {
        if (text[at] == 'İ')
            output.Append("i\u0307");
        else if (text[at] == 'Σ')
            output.Append(IsFinalSigma(text, at) ? 'ς' : 'σ');
        else if (Rune.TryGetRuneAt(text, at, out Rune rune))
            output.Append(Rune.ToLowerInvariant(rune).ToString());
        else
            output.Append(text[at]);
    }

    // A capital sigma ends a word: a letter stands before it and none after it, whatever is ignored in between.
    private static bool IsFinalSigma(string text, int at)
    {
        int before = at - 1;
        while (before >= 0 && IsCaseIgnorable(text[before]))
            before--;
        if (before < 0 || !IsCased(text, before))
            return false;
        int after = at + 1;
        while (after < text.Length && IsCaseIgnorable(text[after]))
            after++;
        return after == text.Length || !IsCased(text, after);
    }

    private static bool IsCaseIgnorable(char c) => c is '\'' or '.' or ':' or '·' or '\u2019' or '^' or '`' ||
        char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    // Letters whose capital is more than one code point (Unicode SpecialCasing, unconditional), as CODE:CAPITAL.
    private static readonly Dictionary<int, string> SpecialUpper = (
        "00DF:SS;0149:\u02BCN;01F0:J\u030C;0390:\u0399\u0308\u0301;03B0:\u03A5\u0308\u0301;0587:\u0535\u0552;1E96:H\u0331;1E97:T\u0308;" +
        "1E98:W\u030A;1E99:Y\u030A;1E9A:A\u02BE;1F50:\u03A5\u0313;1F52:\u03A5\u0313\u0300;1F54:\u03A5\u0313\u0301;1F56:\u03A5\u0313\u0342;" +
        "1F80:\u1F08\u0399;1F81:\u1F09\u0399;1F82:\u1F0A\u0399;1F83:\u1F0B\u0399;1F84:\u1F0C\u0399;1F85:\u1F0D\u0399;1F86:\u1F0E\u0399;" +
        "1F87:\u1F0F\u0399;1F88:\u1F08\u0399;1F89:\u1F09\u0399;1F8A:\u1F0A\u0399;1F8B:\u1F0B\u0399;1F8C:\u1F0C\u0399;1F8D:\u1F0D\u0399;" +
        "1F8E:\u1F0E\u0399;1F8F:\u1F0F\u0399;1F90:\u1F28\u0399;1F91:\u1F29\u0399;1F92:\u1F2A\u0399;1F93:\u1F2B\u0399;1F94:\u1F2C\u0399;" +
        "1F95:\u1F2D\u0399;1F96:\u1F2E\u0399;1F97:\u1F2F\u0399;1F98:\u1F28\u0399;1F99:\u1F29\u0399;1F9A:\u1F2A\u0399;1F9B:\u1F2B\u0399;" +
        "1F9C:\u1F2C\u0399;1F9D:\u1F2D\u0399;1F9E:\u1F2E\u0399;1F9F:\u1F2F\u0399;1FA0:\u1F68\u0399;1FA1:\u1F69\u0399;1FA2:\u1F6A\u0399;" +
        "1FA3:\u1F6B\u0399;1FA4:\u1F6C\u0399;1FA5:\u1F6D\u0399;1FA6:\u1F6E\u0399;1FA7:\u1F6F\u0399;1FA8:\u1F68\u0399;1FA9:\u1F69\u0399;" +
        "1FAA:\u1F6A\u0399;1FAB:\u1F6B\u0399;1FAC:\u1F6C\u0399;1FAD:\u1F6D\u0399;1FAE:\u1F6E\u0399;1FAF:\u1F6F\u0399;1FB2:\u1FBA\u0399;" +
        "1FB3:\u0391\u0399;1FB4:\u0386\u0399;1FB6:\u0391\u0342;1FB7:\u0391\u0342\u0399;1FBC:\u0391\u0399;1FC2:\u1FCA\u0399;1FC3:\u0397\u0399;" +
        "1FC4:\u0389\u0399;1FC6:\u0397\u0342;1FC7:\u0397\u0342\u0399;1FCC:\u0397\u0399;1FD2:\u0399\u0308\u0300;1FD3:\u0399\u0308\u0301;" +
        "1FD6:\u0399\u0342;1FD7:\u0399\u0308\u0342;1FE2:\u03A5\u0308\u0300;1FE3:\u03A5\u0308\u0301;1FE4:\u03A1\u0313;1FE6:\u03A5\u0342;" +
        "1FE7:\u03A5\u0308\u0342;1FF2:\u1FFA\u0399;1FF3:\u03A9\u0399;1FF4:\u038F\u0399;1FF6:\u03A9\u0342;1FF7:\u03A9\u0342\u0399;" +
        "1FFC:\u03A9\u0399;FB00:FF;FB01:FI;FB02:FL;FB03:FFI;FB04:FFL;FB05:ST;FB06:ST;FB13:\u0544\u0546;FB14:\u0544\u0535;" +
        "FB15:\u0544\u053B;FB16:\u054E\u0546;FB17:\u0544\u053D").Split(';').ToDictionary(
            entry => int.Parse(entry.AsSpan(0, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture), entry => entry[5..]);
}
