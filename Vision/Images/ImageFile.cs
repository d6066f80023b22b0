namespace Portable.Vision.Images;

/// <summary>An encoded image on its way through a reader: its bytes, what the caller asked for, and the errors that name it.</summary>
internal readonly record struct ImageFile(ReadOnlyMemory<byte> Bytes, ImageDecodeOptions Options)
{
    public ReadOnlySpan<byte> Span => Bytes.Span;

    /// <summary>The error of a file that cannot be decoded.</summary>
    public InvalidInputException Broken(string problem, Exception? inner = null) => new(Options.Name, problem, inner);

    /// <summary>The error of a file that ends too early.</summary>
    public InvalidInputException Truncated(string what) => Broken($"truncated: the file ends inside {what}");

    /// <summary>Refuses a size beyond the limits. Called with the header's values, before pixels are allocated.</summary>
    /// <param name="width">Width as the header states it.</param>
    /// <param name="height">Height as the header states it.</param>
    /// <param name="bytesPerPixel">Most bytes that decoding holds for each pixel, result included.</param>
    public void CheckSize(long width, long height, int bytesPerPixel)
    {
        ImageLimits limits = Options.Limits;
        if (width < 1 || height < 1)
            throw Broken($"the header states {width} x {height} pixels");
        if (width > limits.MaxSide || height > limits.MaxSide)
            throw Broken($"{width} x {height} pixels, and a side may be at most {limits.MaxSide}");
        if (width * height > limits.MaxPixels)
            throw Broken($"{width} x {height} is {width * height} pixels, and the limit is {limits.MaxPixels}");
        if (width * height > Array.MaxLength / 4)
            throw Broken($"{width} x {height} pixels do not fit one array");
        long bytes = width * height * bytesPerPixel;
        if (bytes > limits.MaxDecodedBytes)
            throw Broken($"decoding {width} x {height} pixels takes {bytes} bytes, and the limit is {limits.MaxDecodedBytes}");
    }
}
