namespace Portable.Vision.Processing;

/// <summary>
/// The float32 value of every byte in every channel, [3, 256], after rescaling and normalising as transformers' NumPy
/// path computes it: <c>(float32(float64(byte) * rescale) - float32(mean)) / float32(std)</c>, each step rounded.
/// </summary>
internal sealed class NormalisationTable
{
    private readonly float[] _values = new float[3 * 256];

    public NormalisationTable(ImageProcessorConfig config, IReadOnlyList<double> defaultMean, IReadOnlyList<double> defaultStd)
    {
        IReadOnlyList<double> mean = config.ImageMean ?? defaultMean, std = config.ImageStd ?? defaultStd;
        bool rescale = config.DoRescale ?? true, normalise = config.DoNormalize ?? true;
        double factor = config.RescaleFactor ?? 1 / 255.0;
        for (int channel = 0; channel < 3; channel++)
        {
            if (normalise && (float)std[channel] == 0)
                throw new InvalidModelException(config.Source, "image_std", "zero, and pixels are divided by it");
            for (int value = 0; value < 256; value++)
            {
                float x = rescale ? (float)(value * factor) : value;
                if (normalise)
                {
                    x -= (float)mean[channel];
                    x /= (float)std[channel];
                }

                _values[channel * 256 + value] = x;
            }
        }
    }

    /// <summary>The 256 values of a channel.</summary>
    public ReadOnlySpan<float> Channel(int channel) => _values.AsSpan(channel * 256, 256);
}
