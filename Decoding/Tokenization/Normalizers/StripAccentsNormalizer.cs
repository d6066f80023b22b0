namespace Portable.Decoding.Tokenization;

/// <summary>Drops all marks (general category M).</summary>
internal sealed class StripAccentsNormalizer : Normalizer
{
    public override string Normalize(string text) =>
        CodePointFilter.Map(text, static (c, output) =>
        {
            if (!CodePoints.HasCategory(c, CodePoints.Mark))
                output.Append(new System.Text.Rune(c));
        });
}
