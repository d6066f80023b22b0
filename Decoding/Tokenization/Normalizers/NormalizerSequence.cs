namespace Portable.Decoding.Tokenization;

/// <summary>Several normalizers, one after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<Normalizer> parts) : Normalizer
{
    public override string Normalize(string text)
    {
        int before = text.Length;
        foreach (Normalizer part in parts)
        {
            text = part.Normalize(text);
            CheckGrowth(before, text.Length);
        }

        return text;
    }
}
