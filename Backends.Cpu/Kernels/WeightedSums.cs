using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// y[m] += p[m] v, where v has a row per key: the value half of attention. Each output is one chain over the keys in
/// order, whatever the tile.
/// </summary>
internal static unsafe class WeightedSums
{
    /// <summary>Adds the sums of m rows (a multiple of 4) over n keys, columns wide (a multiple of 16).</summary>
    /// <param name="p">Weights, [m, keys].</param>
    /// <param name="ps">Elements from row to row of p.</param>
    /// <param name="m">Rows.</param>
    /// <param name="v">Values, a row per key.</param>
    /// <param name="vs">Elements from key to key.</param>
    /// <param name="n">Keys.</param>
    /// <param name="limits">[m / 4]: the key from which on all four weights are zero; may lie outside 0 … n.</param>
    /// <param name="columns">Elements of a value.</param>
    /// <param name="y">Sums.</param>
    /// <param name="ys">Elements from row to row of y.</param>
    /// <param name="offset">What to take from every limit.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector>(float* p, nint ps, int m, float* v, nint vs, int n, int* limits, int offset, int columns, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(columns % DotProducts.Multiple == 0 && m % 4 == 0);
        int width = TSimd.Count;
        for (int row = 0; row < m; row += 4, p += 4 * ps, y += 4 * ys)
        {
            int keys = Math.Min(n, limits[row / 4] - offset);
            if (keys <= 0)
                continue;
            int column = 0;
            for (; column + (2 * width) <= columns; column += 2 * width)
                Tile4x2<TSimd, TVector>(p, ps, v + column, vs, keys, y + column, ys);
            if (column < columns)
                Tile4x1<TSimd, TVector>(p, ps, v + column, vs, keys, y + column, ys);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x2<TSimd, TVector>(float* p, nint ps, float* v, nint vs, int n, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count;
        float* y1 = y + ys, y2 = y1 + ys, y3 = y2 + ys;
        float* p1 = p + ps, p2 = p1 + ps, p3 = p2 + ps;
        TVector a0 = TSimd.Load(y), a1 = TSimd.Load(y + width), b0 = TSimd.Load(y1), b1 = TSimd.Load(y1 + width);
        TVector c0 = TSimd.Load(y2), c1 = TSimd.Load(y2 + width), d0 = TSimd.Load(y3), d1 = TSimd.Load(y3 + width);
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
        float* y1 = y + ys, y2 = y1 + ys, y3 = y2 + ys;
        float* p1 = p + ps, p2 = p1 + ps, p3 = p2 + ps;
        TVector a = TSimd.Load(y), b = TSimd.Load(y1), c = TSimd.Load(y2), d = TSimd.Load(y3);
        for (nint j = 0; j < n; j++, v += vs)
        {
            TVector value = TSimd.Load(v);
            a = TSimd.MultiplyAdd(TSimd.Broadcast(p[j]), value, a);
            b = TSimd.MultiplyAdd(TSimd.Broadcast(p1[j]), value, b);
            c = TSimd.MultiplyAdd(TSimd.Broadcast(p2[j]), value, c);
            d = TSimd.MultiplyAdd(TSimd.Broadcast(p3[j]), value, d);
        }

        TSimd.Store(y, a);
        TSimd.Store(y1, b);
        TSimd.Store(y2, c);
        TSimd.Store(y3, d);
    }
}
