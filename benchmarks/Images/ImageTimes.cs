namespace Portable.Benchmarks.Images;

/// <summary>Seconds of each part between an image and the first token of the answer.</summary>
/// <param name="Preparation">Decoding the file and cutting it into patches.</param>
/// <param name="Tower">The vision tower.</param>
/// <param name="Prefill">The prompt with the image's features, up to the first token.</param>
internal readonly record struct ImageTimes(double Preparation, double Tower, double Prefill)
{
    public double All => Preparation + Tower + Prefill;
}
