namespace Portable.Vision.Images;

/// <summary>
/// A decoded image: 8-bit RGB, interleaved, [Height, Width, 3], rows from the top without padding. Immutable as far as
/// this type is concerned and therefore safe to share between threads. The memory is managed; there is nothing to dispose.
/// </summary>
public sealed class RgbImage
{
    /// <summary>Wraps pixels that were decoded elsewhere. The array is not copied: the image owns it from here on.</summary>
    /// <param name="width">Pixels in a row, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="pixels">Exactly <c>height * width * 3</c> bytes.</param>
    /// <exception cref="ArgumentException">The array's length disagrees with the size.</exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentNullException.ThrowIfNull(pixels);
        if (pixels.Length != (long)width * height * 3)
        {
            throw new ArgumentException(
                $"{width} x {height} RGB pixels are {(long)width * height * 3} bytes, not {pixels.Length}.", nameof(pixels));
        }

        Width = width;
        Height = height;
        Data = pixels;
    }

    /// <summary>Pixels in a row.</summary>
    public int Width { get; }

    /// <summary>Number of rows.</summary>
    public int Height { get; }

    /// <summary>All samples, [Height, Width, 3].</summary>
    public ReadOnlySpan<byte> Pixels => Data;

    internal byte[] Data { get; }
}
