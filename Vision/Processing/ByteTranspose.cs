using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Portable.Vision.Processing;

/// <summary>Turns 16 rows of bytes into columns of 16 bytes, and back.</summary>
internal static class ByteTranspose
{
    private const int Rows = 16;

    /// <summary>columns[i * 16 + r] = source[r * stride + i] for r below <paramref name="rows"/> and i below stride; other lanes are undefined.</summary>
    public static unsafe void RowsToColumns(ReadOnlySpan<byte> source, int stride, int rows, Span<byte> columns)
    {
        source = source[..(rows * stride)];
        columns = columns[..(stride * Rows)];
        if (stride < Rows)
        {
            for (int i = 0; i < stride; i++)
            {
                for (int r = 0; r < rows; r++)
                    columns[i * Rows + r] = source[r * stride + i];
            }

            return;
        }

        Span<Vector128<byte>> block = stackalloc Vector128<byte>[Rows];
        block.Clear();
        fixed (byte* from = source, to = columns)
        {
            for (int i = 0; i < stride; i += Rows)
            {
                int at = Math.Min(i, stride - Rows);
                for (int r = 0; r < rows; r++)
                    block[r] = Vector128.Load(from + r * stride + at);
                Transpose(block);
                for (int r = 0; r < Rows; r++)
                    block[r].Store(to + (at + r) * Rows);
            }
        }
    }

    /// <summary>The inverse: result[r * stride + i] = columns[i * 16 + r] for r below <paramref name="rows"/>.</summary>
    public static unsafe void ColumnsToRows(ReadOnlySpan<byte> columns, int stride, int rows, Span<byte> result)
    {
        result = result[..(rows * stride)];
        columns = columns[..(stride * Rows)];
        if (stride < Rows)
        {
            for (int i = 0; i < stride; i++)
            {
                for (int r = 0; r < rows; r++)
                    result[r * stride + i] = columns[i * Rows + r];
            }

            return;
        }

        Span<Vector128<byte>> block = stackalloc Vector128<byte>[Rows];
        fixed (byte* from = columns, to = result)
        {
            for (int i = 0; i < stride; i += Rows)
            {
                int at = Math.Min(i, stride - Rows);
                for (int r = 0; r < Rows; r++)
                    block[r] = Vector128.Load(from + (at + r) * Rows);
                Transpose(block);
                for (int r = 0; r < rows; r++)
                    block[r].Store(to + r * stride + at);
            }
        }
    }

    // Four perfect shuffles of the 256 bytes swap the two nibbles of every byte's index, which is the transposition.
    private static void Transpose(Span<Vector128<byte>> block)
    {
        Span<Vector128<byte>> other = stackalloc Vector128<byte>[Rows];
        Shuffle(block, other);
        Shuffle(other, block);
        Shuffle(block, other);
        Shuffle(other, block);
    }

    private static void Shuffle(ReadOnlySpan<Vector128<byte>> from, Span<Vector128<byte>> to)
    {
        for (int i = 0; i < Rows / 2; i++)
        {
            to[2 * i] = ZipLow(from[i], from[i + Rows / 2]);
            to[2 * i + 1] = ZipHigh(from[i], from[i + Rows / 2]);
        }
    }

    private static Vector128<byte> ZipLow(Vector128<byte> a, Vector128<byte> b) =>
        Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : (Vector128.WidenLower(a) | (Vector128.WidenLower(b) << 8)).AsByte();

    private static Vector128<byte> ZipHigh(Vector128<byte> a, Vector128<byte> b) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : (Vector128.WidenUpper(a) | (Vector128.WidenUpper(b) << 8)).AsByte();
}
