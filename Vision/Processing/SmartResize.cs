namespace Portable.Vision.Processing;

/// <summary>
/// The sizes to which the Qwen-VL processors resize: both sides multiples of a factor, the area within bounds, the
/// aspect ratio nearly kept. Formula: <c>smart_resize</c> of transformers' Qwen2-VL image processor.
/// </summary>
internal static class SmartResize
{
    // No published model comes near; a hostile config must not make an image of gigabytes.
    private const long MostPixels = 1L << 28;

    /// <summary>The target of an image.</summary>
    /// <exception cref="InvalidInputException">One side is more than 200 times the other, or the target is absurdly large.</exception>
    public static (int Height, int Width) Target(int height, int width, int factor, long minPixels, long maxPixels)
    {
        double ratio = (double)Math.Max(height, width) / Math.Min(height, width);
        if (ratio > 200)
        {
            throw new InvalidInputException(
                "image", $"one side of {width} x {height} pixels is {ratio:0.#} times the other, and the model takes at most 200 times; crop it");
        }

        // Python's round is half to even. A side below half the factor becomes 0 here, so that the area counts as too
        // small; the scale is computed from the original area.
        long targetHeight = (long)Math.Round((double)height / factor, MidpointRounding.ToEven) * factor;
        long targetWidth = (long)Math.Round((double)width / factor, MidpointRounding.ToEven) * factor;
        double area = (double)height * width;
        if (targetHeight * targetWidth > maxPixels)
        {
            double scale = Math.Sqrt(area / maxPixels);
            targetHeight = Multiple(Math.Floor(height / scale / factor));
            targetWidth = Multiple(Math.Floor(width / scale / factor));
        }
        else if (targetHeight * targetWidth < minPixels)
        {
            double scale = Math.Sqrt(minPixels / area);
            targetHeight = Multiple(Math.Ceiling(height * scale / factor));
            targetWidth = Multiple(Math.Ceiling(width * scale / factor));
        }

        if (targetHeight > int.MaxValue || targetWidth > int.MaxValue || targetHeight * targetWidth > MostPixels)
        {
            throw new InvalidInputException(
                "image", $"{width} x {height} pixels would be resized to {targetWidth} x {targetHeight}, above the cap of {MostPixels} pixels");
        }

        return ((int)targetHeight, (int)targetWidth);

        long Multiple(double count) => (long)Math.Clamp(count, 1, 1L << 31) * factor;
    }
}
