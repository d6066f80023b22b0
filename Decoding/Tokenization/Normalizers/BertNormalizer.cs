using System.Globalization;
using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// BERT's clean-up (google-research/bert, tokenization.py, BasicTokenizer): control characters vanish, blanks become
/// spaces, Chinese characters stand alone, accents vanish, lower case; each step by a setting.
/// </summary>
internal sealed class BertNormalizer(bool cleanText, bool chineseCharacters, bool stripAccents, bool lowercase) : Normalizer
{
    private static readonly UnicodeNormalizer Decompose = new(NormalizationForm.FormD);
    private static readonly LowercaseNormalizer Lower = new();

    // Unassigned code points pass: the original's tables know none.
    private const uint Dropped = 1u << (int)UnicodeCategory.Control | 1u << (int)UnicodeCategory.Format
        | 1u << (int)UnicodeCategory.PrivateUse;

    public override string Normalize(string text)
    {
        if (cleanText)
            text = CodePointFilter.Map(text, Clean);
        if (chineseCharacters)
            text = CodePointFilter.Map(text, Isolate);
        if (stripAccents)
            text = CodePointFilter.Map(Decompose.Normalize(text), DropMark);
        return lowercase ? Lower.Normalize(text) : text;
    }

    private static void Clean(int c, StringBuilder output)
    {
        if (c is '\t' or '\n' or '\r')
            output.Append(' ');
        else if (c is not (0 or 0xFFFD) && !CodePoints.HasCategory(c, Dropped))
            output.Append(CodePoints.IsWhiteSpace(c) ? new Rune(' ') : new Rune(c));
    }

    private static void Isolate(int c, StringBuilder output)
    {
        bool chinese = c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
            or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF)
            or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
        if (chinese)
            output.Append(' ').Append(new Rune(c)).Append(' ');
        else
            output.Append(new Rune(c));
    }

    private static void DropMark(int c, StringBuilder output)
    {
        if (!CodePoints.HasCategory(c, 1u << (int)UnicodeCategory.NonSpacingMark))
            output.Append(new Rune(c));
    }
}
