using System.Buffers;
using System.Runtime.Intrinsics;
using Portable.Vision.Images;

namespace Portable.Vision.Processing;

// Both passes are one kernel: a weighted sum of equally long byte rows. Vertically the rows are those of the image.
// Horizontally, 16 image rows at a time are transposed, so that the 16 values of one pixel column lie side by side
// and a column becomes such a row.
internal static partial class PillowResampler
{
    private const int TileRows = 16;

    private static ResampleKernel BestKernel { get; } =
        Vector512.IsHardwareAccelerated ? ResampleKernel.Vector512
        : Vector256.IsHardwareAccelerated ? ResampleKernel.Vector256
        : Vector128.IsHardwareAccelerated ? ResampleKernel.Vector128
        : ResampleKernel.Scalar;

    private static PixelBuffer Vertical(
        PixelBuffer source, ResampleCoefficients rows, int firstRow, ResampleKernel kernel, int threads)
    {
        int stride = source.Stride;
        PixelBuffer result = PixelBuffer.Allocate(source.Width, rows.First.Length, source.Channels);
        ForRanges(result.Height, TileRows, (long)result.Data.Length, threads, (from, to) =>
        {
            for (int y = from; y < to; y++)
            {
                WeightedSum(
                    result.Row(y), source.Data.AsSpan((rows.First[y] - firstRow) * stride), stride, rows.Weights(y), kernel);
            }
        });
        return result;
    }

    private static PixelBuffer Horizontal(
        PixelBuffer source, int firstRow, int endRow, ResampleCoefficients columns, ResampleKernel kernel, int threads)
    {
        int channels = source.Channels, width = columns.First.Length;
        PixelBuffer result = PixelBuffer.Allocate(width, endRow - firstRow, channels);
        int column = channels * TileRows;
        ForRanges(result.Height, TileRows, (long)source.Stride * result.Height, threads, (from, to) =>
        {
            if (kernel == ResampleKernel.Scalar)
            {
                for (int y = from; y < to; y++)
                    HorizontalScalar(source.Row(firstRow + y), result.Row(y), channels, columns);
                return;
            }

            byte[] tileIn = ArrayPool<byte>.Shared.Rent(source.Stride * TileRows);
            byte[] tileOut = ArrayPool<byte>.Shared.Rent(width * column);
            for (int y = from; y < to; y += TileRows)
            {
                int rows = Math.Min(TileRows, to - y);
                ByteTranspose.RowsToColumns(source.Data.AsSpan((firstRow + y) * source.Stride), source.Stride, rows, tileIn);
                for (int x = 0; x < width; x++)
                {
                    WeightedSum(
                        tileOut.AsSpan(x * column, column), tileIn.AsSpan(columns.First[x] * column), column, columns.Weights(x), kernel);
                }

                ByteTranspose.ColumnsToRows(tileOut, result.Stride, rows, result.Data.AsSpan(y * result.Stride));
            }

            ArrayPool<byte>.Shared.Return(tileIn);
            ArrayPool<byte>.Shared.Return(tileOut);
        });
        return result;
    }

    private static void HorizontalScalar(ReadOnlySpan<byte> from, Span<byte> to, int channels, ResampleCoefficients columns)
    {
        for (int x = 0; x < columns.First.Length; x++)
        {
            ReadOnlySpan<int> weights = columns.Weights(x);
            for (int c = 0; c < channels; c++)
            {
                int sum = Half;
                for (int k = 0; k < weights.Length; k++)
                    sum += from[(columns.First[x] + k) * channels + c] * weights[k];
                to[x * channels + c] = Clamp(sum);
            }
        }
    }

    // Small images are not worth waking other threads for.
    private static void ForRanges(int rows, int granule, long bytes, int threads, Action<int, int> body)
    {
        int granules = (rows + granule - 1) / granule;
        int workers = threads < 0 ? Environment.ProcessorCount : Math.Max(1, threads);
        if (workers == 1 || granules == 1 || bytes < 64 * 1024)
        {
            body(0, rows);
            return;
        }

        int parts = Math.Min(granules, workers * 4);
        Parallel.For(0, parts, new ParallelOptions { MaxDegreeOfParallelism = workers }, part =>
        {
            int from = (int)((long)granules * part / parts) * granule;
            int to = Math.Min(rows, (int)((long)granules * (part + 1) / parts) * granule);
            if (from < to)
                body(from, to);
        });
    }
}
