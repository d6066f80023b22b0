using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// y += x w^T, where rows of both lie along K: the inner loop of matrix products.
/// Each output is one chain of multiply-adds per lane, then the sum of the lanes, whatever the tile it is computed in,
/// so that a row's result does not depend on the rows beside it.
/// </summary>
internal static unsafe class DotProducts
{
    /// <summary>K must be a multiple of this: whole vectors of every width.</summary>
    public const int Multiple = 16;

    /// <summary>
    /// Adds to an m x n block. Rows of w are the outer loop: those of a tile stay in the first-level cache while x passes by.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector>(float* x, nint xs, int m, float* w, nint ws, int n, int k, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(k % Multiple == 0 && k >= 0);
        int column = 0, tiled = m < 3 ? 0 : m;
        if (typeof(TSimd) == typeof(FloatSimd512))
        {
            tiled -= tiled % DotTile512.Rows;
            // Two tiles side by side: their rows of w stay in the first-level cache while x passes by once for both.
            for (int columns; tiled > 0 && column + DotTile512.Columns <= n; column += columns)
            {
                columns = column + (2 * DotTile512.Columns) <= n ? 2 * DotTile512.Columns : DotTile512.Columns;
                for (int row = 0; row < tiled; row += DotTile512.Rows)
                {
                    for (int c = column; c < column + columns; c += DotTile512.Columns)
                        DotTile512.Run(x + (row * xs), xs, w + (c * ws), ws, k, y + (row * ys) + c, ys);
                }
            }
        }
        else
        {
            tiled -= tiled % 3;
            for (; tiled > 0 && column + 4 <= n; column += 4)
            {
                for (int row = 0; row < tiled; row += 3)
                    Tile3x4<TSimd, TVector>(x + (row * xs), xs, w + (column * ws), ws, k, y + (row * ys) + column, ys);
            }
        }

        Rows<TSimd, TVector>(x, xs, tiled, w, ws, column, n, k, y, ys);
        Rows<TSimd, TVector>(x + (tiled * xs), xs, m - tiled, w, ws, 0, n, k, y + (tiled * ys), ys);
    }

    // Outputs from a column on, a row at a time.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows<TSimd, TVector>(float* x, nint xs, int m, float* w, nint ws, int first, int n, int k, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        for (int row = 0; row < m; row++, x += xs, y += ys)
        {
            int column = first;
            for (; column + 8 <= n; column += 8)
                Tile1x8<TSimd, TVector>(x, w + (column * ws), ws, k, y + column);
            for (; column < n; column++)
                Tile1x1<TSimd, TVector>(x, w + (column * ws), k, y + column);
        }
    }

    // 12 accumulators, 3 vectors of x and 1 of w: exactly the 16 registers of AVX2.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile3x4<TSimd, TVector>(float* x, nint xs, float* w, nint ws, int k, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        TVector a0 = zero, a1 = zero, a2 = zero, a3 = zero;
        TVector b0 = zero, b1 = zero, b2 = zero, b3 = zero;
        TVector c0 = zero, c1 = zero, c2 = zero, c3 = zero;
        float* x1 = x + xs, x2 = x1 + xs, w1 = w + ws, w2 = w1 + ws, w3 = w2 + ws;
        for (nint i = 0; i < k; i += TSimd.Count)
        {
            TVector p = TSimd.Load(x + i), q = TSimd.Load(x1 + i), r = TSimd.Load(x2 + i);
            TVector v = TSimd.Load(w + i);
            a0 = TSimd.MultiplyAdd(v, p, a0);
            b0 = TSimd.MultiplyAdd(v, q, b0);
            c0 = TSimd.MultiplyAdd(v, r, c0);
            v = TSimd.Load(w1 + i);
            a1 = TSimd.MultiplyAdd(v, p, a1);
            b1 = TSimd.MultiplyAdd(v, q, b1);
            c1 = TSimd.MultiplyAdd(v, r, c1);
            v = TSimd.Load(w2 + i);
            a2 = TSimd.MultiplyAdd(v, p, a2);
            b2 = TSimd.MultiplyAdd(v, q, b2);
            c2 = TSimd.MultiplyAdd(v, r, c2);
            v = TSimd.Load(w3 + i);
            a3 = TSimd.MultiplyAdd(v, p, a3);
            b3 = TSimd.MultiplyAdd(v, q, b3);
            c3 = TSimd.MultiplyAdd(v, r, c3);
        }

        Add4(TSimd.Sum4(a0, a1, a2, a3), y);
        Add4(TSimd.Sum4(b0, b1, b2, b3), y + ys);
        Add4(TSimd.Sum4(c0, c1, c2, c3), y + ys + ys);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1x8<TSimd, TVector>(float* x, float* w, nint ws, int k, float* y)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        TVector a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
        float* w3 = w + (3 * ws), w6 = w3 + (3 * ws);
        for (nint i = 0; i < k; i += TSimd.Count)
        {
            TVector p = TSimd.Load(x + i);
            a0 = TSimd.MultiplyAdd(TSimd.Load(w + i), p, a0);
            a1 = TSimd.MultiplyAdd(TSimd.Load(w + ws + i), p, a1);
            a2 = TSimd.MultiplyAdd(TSimd.Load(w + ws + ws + i), p, a2);
            a3 = TSimd.MultiplyAdd(TSimd.Load(w3 + i), p, a3);
            a4 = TSimd.MultiplyAdd(TSimd.Load(w3 + ws + i), p, a4);
            a5 = TSimd.MultiplyAdd(TSimd.Load(w3 + ws + ws + i), p, a5);
            a6 = TSimd.MultiplyAdd(TSimd.Load(w6 + i), p, a6);
            a7 = TSimd.MultiplyAdd(TSimd.Load(w6 + ws + i), p, a7);
        }

        Add4(TSimd.Sum4(a0, a1, a2, a3), y);
        Add4(TSimd.Sum4(a4, a5, a6, a7), y + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1x1<TSimd, TVector>(float* x, float* w, int k, float* y)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector sum = TSimd.Broadcast(0);
        for (nint i = 0; i < k; i += TSimd.Count)
            sum = TSimd.MultiplyAdd(TSimd.Load(w + i), TSimd.Load(x + i), sum);
        *y += TSimd.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add4(Vector128<float> sums, float* y) => (Vector128.Load(y) + sums).Store(y);
}
