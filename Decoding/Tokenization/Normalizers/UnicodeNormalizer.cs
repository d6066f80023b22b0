using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>Unicode's normalization forms: NFC, NFD, NFKC, NFKD.</summary>
internal sealed class UnicodeNormalizer(NormalizationForm form) : Normalizer
{
    public override string Normalize(string text)
    {
        if (System.Text.Ascii.IsValid(text))
            return text;
        if (!text.Contains('\uFFFE'))
            return text.Normalize(form);

        // .NET refuses the noncharacter U+FFFE. Nothing composes with it, so the parts around it stand alone.
        string[] parts = text.Split('\uFFFE');
        for (int i = 0; i < parts.Length; i++)
            parts[i] = parts[i].Normalize(form);
        return string.Join('\uFFFE', parts);
    }
}
