using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>Lower case by code point, without regard to language or neighbours (a final sigma stays an ordinary one).</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    public override string Normalize(string text)
    {
        var lowered = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            // The one letter whose lower case is two code points.
            if (rune.Value == 0x130)
                lowered.Append("i\u0307");
            else
                lowered.Append(Rune.ToLowerInvariant(rune));
        }

        return lowered.ToString();
    }
}
