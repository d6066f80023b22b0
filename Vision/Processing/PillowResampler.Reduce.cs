using Portable.Vision.Images;

namespace Portable.Vision.Processing;

internal static partial class PillowResampler
{
    // Pillow's reducing_gap: where the image shrinks by at least twice the gap, whole blocks of pixels are averaged
    // first, and the filter then works on the smaller image.
    private static (PixelBuffer Image, ResampleBox Box) Reduce(
        in PixelBuffer source, int width, int height, ResampleFilter filter, ResampleBox box, double gap)
    {
        if (!(gap >= 1.0))
            throw new ArgumentOutOfRangeException(nameof(gap), gap, "A reducing gap is 1.0 or greater.");
        double scaleX = (box.Right - box.Left) / width, scaleY = (box.Bottom - box.Top) / height;
        int factorX = Math.Max(1, (int)(scaleX / gap)), factorY = Math.Max(1, (int)(scaleY / gap));
        if (factorX == 1 && factorY == 1)
            return (source, box);

        double support = ResampleCoefficients.Support(filter) - 0.5;
        int left = Math.Max(0, (int)(box.Left - support * scaleX));
        int top = Math.Max(0, (int)(box.Top - support * scaleY));
        int right = (int)Math.Min(source.Width, Math.Ceiling(box.Right + support * scaleX));
        int bottom = (int)Math.Min(source.Height, Math.Ceiling(box.Bottom + support * scaleY));
        PixelBuffer reduced = BlockMeans(source, left, top, right, bottom, factorX, factorY);
        return (reduced, new ResampleBox(
            (box.Left - left) / factorX,
            (box.Top - top) / factorY,
            (box.Right - left) / factorX,
            (box.Bottom - top) / factorY));
    }

    private static PixelBuffer BlockMeans(
        in PixelBuffer source, int left, int top, int right, int bottom, int factorX, int factorY)
    {
        int width = (right - left + factorX - 1) / factorX, height = (bottom - top + factorY - 1) / factorY;
        int channels = source.Channels;
        PixelBuffer result = PixelBuffer.Allocate(width, height, channels);
        for (int y = 0; y < height; y++)
        {
            int fromY = top + y * factorY, toY = Math.Min(fromY + factorY, bottom);
            Span<byte> to = result.Row(y);
            for (int x = 0; x < width; x++)
            {
                int fromX = left + x * factorX, toX = Math.Min(fromX + factorX, right);
                uint count = (uint)((toY - fromY) * (toX - fromX));
                // A division by multiplication whose multiplier Pillow computes in float32.
                uint multiplier = (uint)(4294967296f / (256 * count));
                for (int c = 0; c < channels; c++)
                {
                    uint sum = count / 2;
                    for (int row = fromY; row < toY; row++)
                    {
                        ReadOnlySpan<byte> from = source.Row(row);
                        for (int column = fromX; column < toX; column++)
                            sum += from[column * channels + c];
                    }

                    to[x * channels + c] = (byte)((sum * multiplier) >> 24);
                }
            }
        }

        return result;
    }
}
