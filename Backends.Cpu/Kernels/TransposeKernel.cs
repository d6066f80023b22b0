using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Portable.Backends.Cpu;

/// <summary>Up to 16 rows into a block of [columns][16]; rows that are missing become zeros.</summary>
internal static unsafe class TransposeKernel
{
    private const int Lanes = ScoreProducts.Lanes;

    /// <summary>Transposes.</summary>
    /// <param name="source">[rows, columns].</param>
    /// <param name="stride">Elements from row to row.</param>
    /// <param name="rows">1 to 16.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="destination">[columns][16].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* source, nint stride, int rows, int columns, float* destination)
    {
        Debug.Assert(rows is >= 1 and <= Lanes);
        if (rows < Lanes)
            new Span<float>(destination, columns * Lanes).Clear();
        int row = 0;
        if (Sse.IsSupported || AdvSimd.Arm64.IsSupported)
        {
            for (; row + 4 <= rows; row += 4)
                FourRows(source + (row * stride), stride, columns, destination + row);
        }

        for (; row < rows; row++)
        {
            for (nint i = 0; i < columns; i++)
                destination[(i * Lanes) + row] = source[(row * stride) + i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows(float* a, nint stride, int columns, float* y)
    {
        float* b = a + stride, c = b + stride, d = c + stride;
        nint i = 0;
        for (; i + 4 <= columns; i += 4, y += 4 * Lanes)
        {
            Vector128<float> p = Vector128.Load(a + i), q = Vector128.Load(b + i), r = Vector128.Load(c + i), s = Vector128.Load(d + i);
            if (Sse.IsSupported)
            {
                Vector128<float> pq = Sse.UnpackLow(p, q), rs = Sse.UnpackLow(r, s), pqHigh = Sse.UnpackHigh(p, q), rsHigh = Sse.UnpackHigh(r, s);
                Sse.MoveLowToHigh(pq, rs).Store(y);
                Sse.MoveHighToLow(rs, pq).Store(y + Lanes);
                Sse.MoveLowToHigh(pqHigh, rsHigh).Store(y + (2 * Lanes));
                Sse.MoveHighToLow(rsHigh, pqHigh).Store(y + (3 * Lanes));
            }
            else
            {
                Vector128<double> pq = AdvSimd.Arm64.ZipLow(p, q).AsDouble(), rs = AdvSimd.Arm64.ZipLow(r, s).AsDouble();
                Vector128<double> pqHigh = AdvSimd.Arm64.ZipHigh(p, q).AsDouble(), rsHigh = AdvSimd.Arm64.ZipHigh(r, s).AsDouble();
                AdvSimd.Arm64.ZipLow(pq, rs).AsSingle().Store(y);
                AdvSimd.Arm64.ZipHigh(pq, rs).AsSingle().Store(y + Lanes);
                AdvSimd.Arm64.ZipLow(pqHigh, rsHigh).AsSingle().Store(y + (2 * Lanes));
                AdvSimd.Arm64.ZipHigh(pqHigh, rsHigh).AsSingle().Store(y + (3 * Lanes));
            }
        }

        for (; i < columns; i++, y += Lanes)
        {
            y[0] = a[i];
            y[1] = b[i];
            y[2] = c[i];
            y[3] = d[i];
        }
    }
}
