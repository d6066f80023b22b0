using System.Globalization;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// The classes of code points that tokenizer files speak of. .NET's own regular expressions see UTF-16 halves, to which
/// no letter class applies, so everything here works on whole code points.
/// </summary>
internal static class CodePoints
{
    public const uint Letter = 1u << (int)UnicodeCategory.UppercaseLetter | 1u << (int)UnicodeCategory.LowercaseLetter
        | 1u << (int)UnicodeCategory.TitlecaseLetter | 1u << (int)UnicodeCategory.ModifierLetter
        | 1u << (int)UnicodeCategory.OtherLetter;

    public const uint Mark = 1u << (int)UnicodeCategory.NonSpacingMark | 1u << (int)UnicodeCategory.SpacingCombiningMark
        | 1u << (int)UnicodeCategory.EnclosingMark;

    public const uint Number = 1u << (int)UnicodeCategory.DecimalDigitNumber | 1u << (int)UnicodeCategory.LetterNumber
        | 1u << (int)UnicodeCategory.OtherNumber;

    public const uint Punctuation = 1u << (int)UnicodeCategory.ConnectorPunctuation
        | 1u << (int)UnicodeCategory.DashPunctuation | 1u << (int)UnicodeCategory.OpenPunctuation
        | 1u << (int)UnicodeCategory.ClosePunctuation | 1u << (int)UnicodeCategory.InitialQuotePunctuation
        | 1u << (int)UnicodeCategory.FinalQuotePunctuation | 1u << (int)UnicodeCategory.OtherPunctuation;

    public const uint Symbol = 1u << (int)UnicodeCategory.MathSymbol | 1u << (int)UnicodeCategory.CurrencySymbol
        | 1u << (int)UnicodeCategory.ModifierSymbol | 1u << (int)UnicodeCategory.OtherSymbol;

    public const uint Separator = 1u << (int)UnicodeCategory.SpaceSeparator | 1u << (int)UnicodeCategory.LineSeparator
        | 1u << (int)UnicodeCategory.ParagraphSeparator;

    public const uint Other = 1u << (int)UnicodeCategory.Control | 1u << (int)UnicodeCategory.Format
        | 1u << (int)UnicodeCategory.Surrogate | 1u << (int)UnicodeCategory.PrivateUse
        | 1u << (int)UnicodeCategory.OtherNotAssigned;

    /// <summary>The categories of <c>\w</c>; <see cref="WordRanges"/> completes them.</summary>
    public const uint Word = Letter | Mark | 1u << (int)UnicodeCategory.DecimalDigitNumber
        | 1u << (int)UnicodeCategory.LetterNumber | 1u << (int)UnicodeCategory.ConnectorPunctuation;

    /// <summary>Joiners and the circled and squared letters, which Unicode calls alphabetic though they are symbols.</summary>
    public static readonly (int First, int Last)[] WordRanges =
        [(0x200C, 0x200D), (0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)];

    /// <summary>The property White_Space.</summary>
    public static readonly (int First, int Last)[] WhiteSpaceRanges =
    [
        (0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
        (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000),
    ];

    /// <summary>The code point at a position and its length in UTF-16; a lone half counts as itself.</summary>
    public static int At(ReadOnlySpan<char> text, int position, out int length)
    {
        char c = text[position];
        if (char.IsHighSurrogate(c) && position + 1 < text.Length && char.IsLowSurrogate(text[position + 1]))
        {
            length = 2;
            return char.ConvertToUtf32(c, text[position + 1]);
        }

        length = 1;
        return c;
    }

    /// <summary>The length in UTF-16 of the code point that ends at a position.</summary>
    public static int LengthBefore(ReadOnlySpan<char> text, int position) =>
        position >= 2 && char.IsLowSurrogate(text[position - 1]) && char.IsHighSurrogate(text[position - 2]) ? 2 : 1;

    public static bool HasCategory(int codePoint, uint mask) =>
        (mask >> (int)CharUnicodeInfo.GetUnicodeCategory(codePoint) & 1) != 0;

    public static bool IsWhiteSpace(int codePoint) => codePoint <= 0xFFFF && char.IsWhiteSpace((char)codePoint);

    public static bool IsNumeric(int codePoint) =>
        codePoint < 128 ? codePoint is >= '0' and <= '9' : HasCategory(codePoint, Number);

    /// <summary>Every ASCII sign that is neither letter, digit nor blank, and the category P elsewhere.</summary>
    public static bool IsPunctuation(int codePoint) => codePoint < 128
        ? codePoint is > 32 and < 127 && !char.IsAsciiLetterOrDigit((char)codePoint)
        : HasCategory(codePoint, Punctuation);

    public static bool IsWord(int codePoint)
    {
        if (codePoint < 128)
            return char.IsAsciiLetterOrDigit((char)codePoint) || codePoint == '_';
        if (HasCategory(codePoint, Word))
            return true;
        foreach ((int first, int last) in WordRanges)
        {
            if (codePoint >= first && codePoint <= last)
                return true;
        }

        return false;
    }

    /// <summary>The text with U+FFFD for every lone surrogate; the very string where there is none.</summary>
    public static string WellFormed(string text)
    {
        int bad = IndexOfLoneSurrogate(text, 0);
        if (bad < 0)
            return text;
        char[] repaired = text.ToCharArray();
        for (; bad >= 0; bad = IndexOfLoneSurrogate(text, bad + 1))
            repaired[bad] = '\uFFFD';
        return new string(repaired);
    }

    private static int IndexOfLoneSurrogate(string text, int start)
    {
        for (int i = start; i < text.Length; i++)
        {
            int next = text.AsSpan(i).IndexOfAnyInRange('\uD800', '\uDFFF');
            if (next < 0)
                return -1;
            i += next;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
            {
                i++;
                continue;
            }

            return i;
        }

        return -1;
    }
}
