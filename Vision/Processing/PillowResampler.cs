using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>
/// Resizes 8-bit images with the bytes that Pillow 13's <c>Image.resize</c> gives: separable filters with 22-bit
/// weights, rounded to 8 bits after each pass. Channels: 1 (L), 2 (LA), 3 (RGB), 4 (RGBA).
/// Thread-safe; the result is a new buffer and does not depend on the instruction set or the number of threads.
/// </summary>
internal static partial class PillowResampler
{
    /// <summary>Resizes an image.</summary>
    /// <param name="source">The image; it is not changed.</param>
    /// <param name="width">Output width, at least 1.</param>
    /// <param name="height">Output height, at least 1.</param>
    /// <param name="filter">The filter.</param>
    /// <param name="box">The part of the source to use; null for all of it.</param>
    /// <param name="reducingGap">Pillow's <c>reducing_gap</c>: averages whole blocks first when shrinking by much; null for none.</param>
    /// <param name="kernel">Which kernel to use; for tests.</param>
    /// <param name="threads">Most threads to use; -1 for all processors.</param>
    public static PixelBuffer Resize(
        in PixelBuffer source,
        int width,
        int height,
        ResampleFilter filter,
        ResampleBox? box = null,
        double? reducingGap = null,
        ResampleKernel kernel = ResampleKernel.Best,
        int threads = -1)
    {
        ResampleBox part = box ?? ResampleBox.Whole(source);
        if (part == ResampleBox.Whole(source) && width == source.Width && height == source.Height)
            return source with { Data = (byte[])source.Data.Clone() };
        if (filter == ResampleFilter.Nearest)
            return Nearest(source, width, height, part);
        if (source.Channels is 2 or 4)
        {
            // As in Pillow, colours are weighted by alpha while they are mixed, and the gap is not used.
            PixelBuffer resized = Filtered(
                Premultiply(source), width, height, filter, part, kernel, threads);
            return Unpremultiply(resized);
        }

        PixelBuffer reduced = source;
        if (reducingGap is { } gap)
            (reduced, part) = Reduce(source, width, height, filter, part, gap);
        return Filtered(reduced, width, height, filter, part, kernel, threads);
    }

    private static PixelBuffer Filtered(
        PixelBuffer source, int width, int height, ResampleFilter filter, ResampleBox part, ResampleKernel kernel, int threads)
    {
        float left = (float)part.Left, top = (float)part.Top, right = (float)part.Right, bottom = (float)part.Bottom;
        bool horizontal = width != source.Width || left != 0 || right != width;
        bool vertical = height != source.Height || top != 0 || bottom != height;
        if (kernel == ResampleKernel.Best)
            kernel = BestKernel;

        // The two orders differ, because the image between the passes is rounded to 8 bits. Pillow 13 saves work by
        // going vertically first where that removes many rows; the sizes are the image's, not the box's.
        bool verticalFirst = height < source.Height && source.Height - height > 2L * (source.Width - width);
        PixelBuffer result = source;
        if (verticalFirst && vertical)
            result = Vertical(result, ResampleCoefficients.Create(filter, source.Height, top, bottom, height), 0, kernel, threads);
        if (horizontal)
        {
            ResampleCoefficients columns = ResampleCoefficients.Create(filter, source.Width, left, right, width);
            if (verticalFirst || !vertical)
            {
                result = Horizontal(result, 0, result.Height, columns, kernel, threads);
            }
            else
            {
                ResampleCoefficients rows = ResampleCoefficients.Create(filter, source.Height, top, bottom, height);
                int first = rows.First[0], last = rows.First[height - 1] + rows.Count[height - 1];
                result = Horizontal(result, first, last, columns, kernel, threads);
                result = Vertical(result, rows, first, kernel, threads);
            }
        }
        else if (!verticalFirst && vertical)
        {
            result = Vertical(result, ResampleCoefficients.Create(filter, source.Height, top, bottom, height), 0, kernel, threads);
        }

        return ReferenceEquals(result.Data, source.Data) ? source with { Data = (byte[])source.Data.Clone() } : result;
    }

    private static PixelBuffer Nearest(in PixelBuffer source, int width, int height, ResampleBox box)
    {
        PixelBuffer result = PixelBuffer.Allocate(width, height, source.Channels);
        int[] columns = NearestIndices(source.Width, box.Left, box.Right, width);
        int[] rows = NearestIndices(source.Height, box.Top, box.Bottom, height);
        int channels = source.Channels;
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<byte> from = source.Row(rows[y]);
            Span<byte> to = result.Row(y);
            for (int x = 0; x < width; x++)
                from.Slice(columns[x] * channels, channels).CopyTo(to[(x * channels)..]);
        }

        return result;
    }

    // Pillow adds the step for every pixel rather than multiplying, so the positions carry its rounding.
    private static int[] NearestIndices(int size, double low, double high, int outputs)
    {
        double step = (float)high - (float)low;
        step /= outputs;
        double position = (float)low + step * 0.5;
        int[] indices = new int[outputs];
        for (int i = 0; i < outputs; i++)
        {
            indices[i] = Math.Clamp((int)position, 0, size - 1);
            position += step;
        }

        return indices;
    }

    private static PixelBuffer Premultiply(in PixelBuffer source)
    {
        PixelBuffer result = source with { Data = GC.AllocateUninitializedArray<byte>(source.Data.Length) };
        int channels = source.Channels;
        for (int i = 0; i < source.Data.Length; i += channels)
        {
            int alpha = source.Data[i + channels - 1];
            for (int c = 0; c < channels - 1; c++)
            {
                int product = source.Data[i + c] * alpha + 128;
                result.Data[i + c] = (byte)(((product >> 8) + product) >> 8);
            }

            result.Data[i + channels - 1] = (byte)alpha;
        }

        return result;
    }

    private static PixelBuffer Unpremultiply(in PixelBuffer image)
    {
        int channels = image.Channels;
        for (int i = 0; i < image.Data.Length; i += channels)
        {
            int alpha = image.Data[i + channels - 1];
            if (alpha is 0 or 255)
                continue;
            for (int c = 0; c < channels - 1; c++)
                image.Data[i + c] = (byte)Math.Min(255, 255 * image.Data[i + c] / alpha);
        }

        return image;
    }
}
