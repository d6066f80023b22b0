using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// y[m] += p[m] v, where v has a row per key: the value half of attention. Each output is one chain over the keys in
/// order, whatever the tile.
/// </summary>
internal static unsafe class WeightedSums
{
    /// <summary>Adds the sums of m rows (a multiple of 2) over n keys, columns wide (a multiple of 16).</summary>
    /// <param name="p">Weights, [m, keys].</param>
    /// <param name="ps">Elements from row to row of p.</param>
    /// <param name="m">Rows.</param>
    /// <param name="v">Values, a row per key.</param>
    /// <param name="vs">Elements from key to key.</param>
    /// <param name="n">Keys.</param>
    /// <param name="limits">[(m + 3) / 4]: the key from which on all four weights are zero; may lie outside 0 … n.</param>
    /// <param name="columns">Elements of a value.</param>
    /// <param name="y">Sums.</param>
    /// <param name="ys">Elements from row to row of y.</param>
    /// <param name="offset">What to take from every limit.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector>(float* p, nint ps, int m, float* v, nint vs, int n, int* limits, int offset, int columns, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(columns % DotProducts.Multiple == 0 && m % 2 == 0);
        int width = TSimd.Count;
        for (int row = 0; row < m; row += 4, p += 4 * ps, y += 4 * ys)
        {
            int keys = Math.Min(n, limits[row / 4] - offset), column = 0;
            if (keys <= 0)
                continue;
            if (m - row == 2)
            {
                for (; column + (4 * width) <= columns; column += 4 * width)
                    Tile2x4<TSimd, TVector>(p, ps, v + column, vs, keys, y + column, ys);
                for (; column < columns; column += width)
                    Tile2x1<TSimd, TVector>(p, ps, v + column, vs, keys, y + column, ys);
                continue;
            }

            if (width == DotProducts.Multiple)
            {
                for (; column + (4 * width) <= columns; column += 4 * width)
                    Tile4x4<TSimd, TVector>(p, ps, v + column, vs, keys, y + column, ys);
            }

            for (; column + (2 * width) <= columns; column += 2 * width)
                Tile4x2<TSimd, TVector>(p, ps, v + column, vs, keys, y + column, ys);
            if (column < columns)
                Tile4x1<TSimd, TVector>(p, ps, v + column, vs, keys, y + column, ys);
        }
    }

    // 16 accumulators, 4 vectors of values and one weight: for the 32 registers of AVX-512.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x4<TSimd, TVector>(float* p, nint ps, float* v, nint vs, int n, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count;
        float* y1 = y + ys, y2 = y1 + ys, y3 = y2 + ys;
        float* p1 = p + ps, p2 = p1 + ps, p3 = p2 + ps;
        TVector a0 = TSimd.Load(y), a1 = TSimd.Load(y + width), a2 = TSimd.Load(y + (2 * width)), a3 = TSimd.Load(y + (3 * width));
        TVector b0 = TSimd.Load(y1), b1 = TSimd.Load(y1 + width), b2 = TSimd.Load(y1 + (2 * width)), b3 = TSimd.Load(y1 + (3 * width));
        TVector c0 = TSimd.Load(y2), c1 = TSimd.Load(y2 + width), c2 = TSimd.Load(y2 + (2 * width)), c3 = TSimd.Load(y2 + (3 * width));
        TVector d0 = TSimd.Load(y3), d1 = TSimd.Load(y3 + width), d2 = TSimd.Load(y3 + (2 * width)), d3 = TSimd.Load(y3 + (3 * width));
        for (nint j = 0; j < n; j++, v += vs)
        {
            TVector v0 = TSimd.Load(v), v1 = TSimd.Load(v + width), v2 = TSimd.Load(v + (2 * width)), v3 = TSimd.Load(v + (3 * width));
            TVector weight = TSimd.Broadcast(p[j]);
            a0 = TSimd.MultiplyAdd(weight, v0, a0);
            a1 = TSimd.MultiplyAdd(weight, v1, a1);
            a2 = TSimd.MultiplyAdd(weight, v2, a2);
            a3 = TSimd.MultiplyAdd(weight, v3, a3);
            weight = TSimd.Broadcast(p1[j]);
            b0 = TSimd.MultiplyAdd(weight, v0, b0);
            b1 = TSimd.MultiplyAdd(weight, v1, b1);
            b2 = TSimd.MultiplyAdd(weight, v2, b2);
            b3 = TSimd.MultiplyAdd(weight, v3, b3);
            weight = TSimd.Broadcast(p2[j]);
            c0 = TSimd.MultiplyAdd(weight, v0, c0);
            c1 = TSimd.MultiplyAdd(weight, v1, c1);
            c2 = TSimd.MultiplyAdd(weight, v2, c2);
            c3 = TSimd.MultiplyAdd(weight, v3, c3);
            weight = TSimd.Broadcast(p3[j]);
            d0 = TSimd.MultiplyAdd(weight, v0, d0);
            d1 = TSimd.MultiplyAdd(weight, v1, d1);
            d2 = TSimd.MultiplyAdd(weight, v2, d2);
            d3 = TSimd.MultiplyAdd(weight, v3, d3);
        }

        TSimd.Store(y, a0);
        TSimd.Store(y + width, a1);
        TSimd.Store(y + (2 * width), a2);
        TSimd.Store(y + (3 * width), a3);
        TSimd.Store(y1, b0);
        TSimd.Store(y1 + width, b1);
        TSimd.Store(y1 + (2 * width), b2);
        TSimd.Store(y1 + (3 * width), b3);
        TSimd.Store(y2, c0);
        TSimd.Store(y2 + width, c1);
        TSimd.Store(y2 + (2 * width), c2);
        TSimd.Store(y2 + (3 * width), c3);
        TSimd.Store(y3, d0);
        TSimd.Store(y3 + width, d1);
        TSimd.Store(y3 + (2 * width), d2);
        TSimd.Store(y3 + (3 * width), d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x2<TSimd, TVector>(float* p, nint ps, float* v, nint vs, int n, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count;
        float* y1 = y + ys, y2 = y1 + ys, y3 = y2 + ys;
        float* p1 = p + ps, p2 = p1 + ps, p3 = p2 + ps;
        TVector a0 = TSimd.Load(y), a1 = TSimd.Load(y + width);
        TVector b0 = TSimd.Load(y1), b1 = TSimd.Load(y1 + width);
        TVector c0 = TSimd.Load(y2), c1 = TSimd.Load(y2 + width);
        TVector d0 = TSimd.Load(y3), d1 = TSimd.Load(y3 + width);
        for (nint j = 0; j < n; j++, v += vs)
        {
            TVector v0 = TSimd.Load(v), v1 = TSimd.Load(v + width);
            TVector weight = TSimd.Broadcast(p[j]);
            a0 = TSimd.MultiplyAdd(weight, v0, a0);
            a1 = TSimd.MultiplyAdd(weight, v1, a1);
            weight = TSimd.Broadcast(p1[j]);
            b0 = TSimd.MultiplyAdd(weight, v0, b0);
            b1 = TSimd.MultiplyAdd(weight, v1, b1);
            weight = TSimd.Broadcast(p2[j]);
            c0 = TSimd.MultiplyAdd(weight, v0, c0);
            c1 = TSimd.MultiplyAdd(weight, v1, c1);
            weight = TSimd.Broadcast(p3[j]);
            d0 = TSimd.MultiplyAdd(weight, v0, d0);
            d1 = TSimd.MultiplyAdd(weight, v1, d1);
        }

        TSimd.Store(y, a0);
        TSimd.Store(y + width, a1);
        TSimd.Store(y1, b0);
        TSimd.Store(y1 + width, b1);
        TSimd.Store(y2, c0);
        TSimd.Store(y2 + width, c1);
        TSimd.Store(y3, d0);
        TSimd.Store(y3 + width, d1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x1<TSimd, TVector>(float* p, nint ps, float* v, nint vs, int n, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count;
        float* y1 = y + ys, y2 = y1 + ys, y3 = y2 + ys;
        float* p1 = p + ps, p2 = p1 + ps, p3 = p2 + ps;
        TVector a0 = TSimd.Load(y);
        TVector b0 = TSimd.Load(y1);
        TVector c0 = TSimd.Load(y2);
        TVector d0 = TSimd.Load(y3);
        for (nint j = 0; j < n; j++, v += vs)
        {
            TVector v0 = TSimd.Load(v);
            TVector weight = TSimd.Broadcast(p[j]);
            a0 = TSimd.MultiplyAdd(weight, v0, a0);
            weight = TSimd.Broadcast(p1[j]);
            b0 = TSimd.MultiplyAdd(weight, v0, b0);
            weight = TSimd.Broadcast(p2[j]);
            c0 = TSimd.MultiplyAdd(weight, v0, c0);
            weight = TSimd.Broadcast(p3[j]);
            d0 = TSimd.MultiplyAdd(weight, v0, d0);
        }

        TSimd.Store(y, a0);
        TSimd.Store(y1, b0);
        TSimd.Store(y2, c0);
        TSimd.Store(y3, d0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2x4<TSimd, TVector>(float* p, nint ps, float* v, nint vs, int n, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count;
        float* y1 = y + ys, p1 = p + ps;
        TVector a0 = TSimd.Load(y), a1 = TSimd.Load(y + width), a2 = TSimd.Load(y + (2 * width)), a3 = TSimd.Load(y + (3 * width));
        TVector b0 = TSimd.Load(y1), b1 = TSimd.Load(y1 + width), b2 = TSimd.Load(y1 + (2 * width)), b3 = TSimd.Load(y1 + (3 * width));
        for (nint j = 0; j < n; j++, v += vs)
        {
            TVector v0 = TSimd.Load(v), v1 = TSimd.Load(v + width), v2 = TSimd.Load(v + (2 * width)), v3 = TSimd.Load(v + (3 * width));
            TVector weight = TSimd.Broadcast(p[j]);
            a0 = TSimd.MultiplyAdd(weight, v0, a0);
            a1 = TSimd.MultiplyAdd(weight, v1, a1);
            a2 = TSimd.MultiplyAdd(weight, v2, a2);
            a3 = TSimd.MultiplyAdd(weight, v3, a3);
            weight = TSimd.Broadcast(p1[j]);
            b0 = TSimd.MultiplyAdd(weight, v0, b0);
            b1 = TSimd.MultiplyAdd(weight, v1, b1);
            b2 = TSimd.MultiplyAdd(weight, v2, b2);
            b3 = TSimd.MultiplyAdd(weight, v3, b3);
        }

        TSimd.Store(y, a0);
        TSimd.Store(y + width, a1);
        TSimd.Store(y + (2 * width), a2);
        TSimd.Store(y + (3 * width), a3);
        TSimd.Store(y1, b0);
        TSimd.Store(y1 + width, b1);
        TSimd.Store(y1 + (2 * width), b2);
        TSimd.Store(y1 + (3 * width), b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2x1<TSimd, TVector>(float* p, nint ps, float* v, nint vs, int n, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count;
        float* y1 = y + ys, p1 = p + ps;
        TVector a0 = TSimd.Load(y);
        TVector b0 = TSimd.Load(y1);
        for (nint j = 0; j < n; j++, v += vs)
        {
            TVector v0 = TSimd.Load(v);
            TVector weight = TSimd.Broadcast(p[j]);
            a0 = TSimd.MultiplyAdd(weight, v0, a0);
            weight = TSimd.Broadcast(p1[j]);
            b0 = TSimd.MultiplyAdd(weight, v0, b0);
        }

        TSimd.Store(y, a0);
        TSimd.Store(y1, b0);
    }
}
