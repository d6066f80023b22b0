namespace Portable.Decoding.Tokenization;

/// <summary>Several normalizers, one after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<Normalizer> parts) : Normalizer
{
    public override string Normalize(string text)
    {
        foreach (Normalizer part in parts)
            text = part.Normalize(text);
        return text;
    }
}
