using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>An image resized and cut into tiles of one size, before normalisation.</summary>
/// <param name="Tiles">The tiles in the model's order; one is the whole image made small where <paramref name="HasOverview"/>.</param>
/// <param name="Rows">Rows of tiles, without the whole image.</param>
/// <param name="Columns">Columns of tiles.</param>
/// <param name="HasOverview">Whether the whole image is a tile too.</param>
/// <param name="Height">Pixels of the image as it came.</param>
/// <param name="Width">Pixels of the image as it came.</param>
internal sealed record TiledImage(IReadOnlyList<RgbImage> Tiles, int Rows, int Columns, bool HasOverview, int Height, int Width);

/// <summary>Resizing and cutting that several processors share.</summary>
internal static class Tiling
{
    private const long MostPixels = 1L << 28;

    /// <summary>An image of another size; the same object where the size is unchanged.</summary>
    public static RgbImage Resize(RgbImage image, int height, int width, ResampleFilter filter, int threads)
    {
        if (image.Height == height && image.Width == width)
            return image;
        if ((long)height * width > MostPixels)
            throw new InvalidInputException("image", $"{image.Width} x {image.Height} pixels would be resized to {width} x {height}, above the cap of {MostPixels} pixels");
        return new RgbImage(width, height, PillowResampler.Resize(new PixelBuffer(image.Data, image.Width, image.Height, 3), width, height, filter, threads: threads).Data);
    }

    /// <summary>A part of an image; what lies outside is black.</summary>
    public static RgbImage Part(RgbImage image, int top, int left, int height, int width)
    {
        byte[] pixels = new byte[checked(3 * height * width)];
        int firstColumn = Math.Max(left, 0), columns = Math.Min(left + width, image.Width) - firstColumn;
        for (int row = Math.Max(top, 0); row < Math.Min(top + height, image.Height) && columns > 0; row++)
        {
            image.Data.AsSpan(3 * ((row * image.Width) + firstColumn), 3 * columns)
                .CopyTo(pixels.AsSpan(3 * (((row - top) * width) + firstColumn - left)));
        }

        return new RgbImage(width, height, pixels);
    }

    /// <summary>Tiles of an image whose sides are multiples of theirs, row by row.</summary>
    public static IEnumerable<RgbImage> Cut(RgbImage image, int height, int width)
    {
        for (int top = 0; top < image.Height; top += height)
        {
            for (int left = 0; left < image.Width; left += width)
                yield return Part(image, top, left, height, width);
        }
    }
}
