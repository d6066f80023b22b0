using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// y[m] += p[m] v, where v has a row per key: the value half of attention. Each output is one chain over the keys in
/// order, whatever the tile.
/// </summary>
internal static unsafe class WeightedSums
{
    /// <summary>Adds the sums of m rows over n keys, columns wide (a multiple of 16).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector>(float* p, nint ps, int m, float* v, nint vs, int n, int columns, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(columns % DotProducts.Multiple == 0);
        int width = TSimd.Count, row = 0;
        for (; row + 4 <= m; row += 4)
        {
            int column = 0;
            for (; column + (2 * width) <= columns; column += 2 * width)
                Tile4x2<TSimd, TVector>(p + (row * ps), ps, v + column, vs, n, y + (row * ys) + column, ys);
            for (; column < columns; column += width)
            {
                for (int r = row; r < row + 4; r++)
                    Tile1x1<TSimd, TVector>(p + (r * ps), v + column, vs, n, y + (r * ys) + column);
            }
        }

        for (; row < m; row++)
        {
            int column = 0;
            for (; column + (4 * width) <= columns; column += 4 * width)
                Tile1x4<TSimd, TVector>(p + (row * ps), v + column, vs, n, y + (row * ys) + column);
            for (; column < columns; column += width)
                Tile1x1<TSimd, TVector>(p + (row * ps), v + column, vs, n, y + (row * ys) + column);
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
    private static void Tile1x4<TSimd, TVector>(float* p, float* v, nint vs, int n, float* y)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count;
        TVector a0 = TSimd.Load(y), a1 = TSimd.Load(y + width), a2 = TSimd.Load(y + (2 * width)), a3 = TSimd.Load(y + (3 * width));
        for (nint j = 0; j < n; j++, v += vs)
        {
            TVector weight = TSimd.Broadcast(p[j]);
            a0 = TSimd.MultiplyAdd(weight, TSimd.Load(v), a0);
            a1 = TSimd.MultiplyAdd(weight, TSimd.Load(v + width), a1);
            a2 = TSimd.MultiplyAdd(weight, TSimd.Load(v + (2 * width)), a2);
            a3 = TSimd.MultiplyAdd(weight, TSimd.Load(v + (3 * width)), a3);
        }

        TSimd.Store(y, a0);
        TSimd.Store(y + width, a1);
        TSimd.Store(y + (2 * width), a2);
        TSimd.Store(y + (3 * width), a3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1x1<TSimd, TVector>(float* p, float* v, nint vs, int n, float* y)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector sum = TSimd.Load(y);
        for (nint j = 0; j < n; j++, v += vs)
            sum = TSimd.MultiplyAdd(TSimd.Broadcast(p[j]), TSimd.Load(v), sum);
        TSimd.Store(y, sum);
    }
}
