using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// y = q k^T, where keys lie in blocks of 16 with their elements apart, [head size][16]: the score half of attention. A
/// lane is a key, so that no sum crosses lanes. Each score is one chain over the elements in order, whatever the tile.
/// </summary>
internal static unsafe class ScoreProducts
{
    /// <summary>Keys of a block.</summary>
    public const int Lanes = 16;

    /// <summary>Rows of a tile, but for the last two.</summary>
    public const int Rows = 4;

    /// <summary>What rows are padded to.</summary>
    public const int RowMultiple = 2;

    /// <summary>Computes the scores of m rows with count blocks.</summary>
    /// <param name="q">[m, k].</param>
    /// <param name="m">Rows, a multiple of <see cref="RowMultiple"/>.</param>
    /// <param name="k">Elements of a query and of a key.</param>
    /// <param name="blocks">Blocks of keys, [k][16].</param>
    /// <param name="columns">Where in a row of y the scores of a block go, ascending; lanes of a block that overlap the next one are overwritten.</param>
    /// <param name="count">Number of blocks.</param>
    /// <param name="limits">[(m + 3) / 4]: the column from which on no score of four rows is wanted.</param>
    /// <param name="y">Scores.</param>
    /// <param name="ys">Elements from row to row of y.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector>(float* q, int m, int k, float** blocks, int* columns, int count, int* limits, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(m % RowMultiple == 0 && Lanes % TSimd.Count == 0);
        int width = TSimd.Count;
        for (int row = 0; row < m; row += Rows, q += (nint)Rows * k, y += Rows * ys)
        {
            int wanted = count;
            while (wanted > 0 && columns[wanted - 1] >= limits[row / Rows])
                wanted--;
            bool isPair = m - row == RowMultiple;
            if (width == Lanes)
            {
                for (int b = 0; b < wanted; b += 4)
                {
                    // Of a last few, some are computed twice.
                    int b1 = Math.Min(b + 1, wanted - 1), b2 = Math.Min(b + 2, wanted - 1), b3 = Math.Min(b + 3, wanted - 1);
                    float* y0 = y + columns[b], y1 = y + columns[b1], y2 = y + columns[b2], y3 = y + columns[b3];
                    if (isPair)
                        Tile2x4<TSimd, TVector>(q, k, blocks[b], blocks[b1], blocks[b2], blocks[b3], y0, y1, y2, y3, ys);
                    else
                        Tile4x4<TSimd, TVector>(q, k, blocks[b], blocks[b1], blocks[b2], blocks[b3], y0, y1, y2, y3, ys);
                }

                continue;
            }

            for (int b = 0; b < wanted; b++)
            {
                for (int lane = 0; lane < Lanes; lane += 2 * width)
                {
                    float* keys = blocks[b] + lane, scores = y + columns[b] + lane;
                    if (isPair)
                        Tile2x2<TSimd, TVector>(q, k, keys, keys + width, scores, scores + width, ys);
                    else
                        Tile4x2<TSimd, TVector>(q, k, keys, keys + width, scores, scores + width, ys);
                }
            }
        }
    }

    // 16 accumulators, 4 vectors of keys and one element: for the 32 registers of AVX-512.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x4<TSimd, TVector>(float* q, nint k, float* v0, float* v1, float* v2, float* v3, float* y0, float* y1, float* y2, float* y3, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        TVector a0 = zero, a1 = zero, a2 = zero, a3 = zero;
        TVector b0 = zero, b1 = zero, b2 = zero, b3 = zero;
        TVector c0 = zero, c1 = zero, c2 = zero, c3 = zero;
        TVector d0 = zero, d1 = zero, d2 = zero, d3 = zero;
        float* q1 = q + k, q2 = q1 + k, q3 = q2 + k;
        for (nint i = 0; i < k; i++, v0 += Lanes, v1 += Lanes, v2 += Lanes, v3 += Lanes)
        {
            TVector l0 = TSimd.Load(v0), l1 = TSimd.Load(v1), l2 = TSimd.Load(v2), l3 = TSimd.Load(v3);
            TVector element = TSimd.Broadcast(q[i]);
            a0 = TSimd.MultiplyAdd(element, l0, a0);
            a1 = TSimd.MultiplyAdd(element, l1, a1);
            a2 = TSimd.MultiplyAdd(element, l2, a2);
            a3 = TSimd.MultiplyAdd(element, l3, a3);
            element = TSimd.Broadcast(q1[i]);
            b0 = TSimd.MultiplyAdd(element, l0, b0);
            b1 = TSimd.MultiplyAdd(element, l1, b1);
            b2 = TSimd.MultiplyAdd(element, l2, b2);
            b3 = TSimd.MultiplyAdd(element, l3, b3);
            element = TSimd.Broadcast(q2[i]);
            c0 = TSimd.MultiplyAdd(element, l0, c0);
            c1 = TSimd.MultiplyAdd(element, l1, c1);
            c2 = TSimd.MultiplyAdd(element, l2, c2);
            c3 = TSimd.MultiplyAdd(element, l3, c3);
            element = TSimd.Broadcast(q3[i]);
            d0 = TSimd.MultiplyAdd(element, l0, d0);
            d1 = TSimd.MultiplyAdd(element, l1, d1);
            d2 = TSimd.MultiplyAdd(element, l2, d2);
            d3 = TSimd.MultiplyAdd(element, l3, d3);
        }

        TSimd.Store(y0, a0);
        TSimd.Store(y1, a1);
        TSimd.Store(y2, a2);
        TSimd.Store(y3, a3);
        TSimd.Store(y0 + ys, b0);
        TSimd.Store(y1 + ys, b1);
        TSimd.Store(y2 + ys, b2);
        TSimd.Store(y3 + ys, b3);
        TSimd.Store(y0 + (2 * ys), c0);
        TSimd.Store(y1 + (2 * ys), c1);
        TSimd.Store(y2 + (2 * ys), c2);
        TSimd.Store(y3 + (2 * ys), c3);
        TSimd.Store(y0 + (3 * ys), d0);
        TSimd.Store(y1 + (3 * ys), d1);
        TSimd.Store(y2 + (3 * ys), d2);
        TSimd.Store(y3 + (3 * ys), d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2x4<TSimd, TVector>(float* q, nint k, float* v0, float* v1, float* v2, float* v3, float* y0, float* y1, float* y2, float* y3, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        TVector a0 = zero, a1 = zero, a2 = zero, a3 = zero;
        TVector b0 = zero, b1 = zero, b2 = zero, b3 = zero;
        float* q1 = q + k;
        for (nint i = 0; i < k; i++, v0 += Lanes, v1 += Lanes, v2 += Lanes, v3 += Lanes)
        {
            TVector l0 = TSimd.Load(v0), l1 = TSimd.Load(v1), l2 = TSimd.Load(v2), l3 = TSimd.Load(v3);
            TVector element = TSimd.Broadcast(q[i]);
            a0 = TSimd.MultiplyAdd(element, l0, a0);
            a1 = TSimd.MultiplyAdd(element, l1, a1);
            a2 = TSimd.MultiplyAdd(element, l2, a2);
            a3 = TSimd.MultiplyAdd(element, l3, a3);
            element = TSimd.Broadcast(q1[i]);
            b0 = TSimd.MultiplyAdd(element, l0, b0);
            b1 = TSimd.MultiplyAdd(element, l1, b1);
            b2 = TSimd.MultiplyAdd(element, l2, b2);
            b3 = TSimd.MultiplyAdd(element, l3, b3);
        }

        TSimd.Store(y0, a0);
        TSimd.Store(y1, a1);
        TSimd.Store(y2, a2);
        TSimd.Store(y3, a3);
        TSimd.Store(y0 + ys, b0);
        TSimd.Store(y1 + ys, b1);
        TSimd.Store(y2 + ys, b2);
        TSimd.Store(y3 + ys, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x2<TSimd, TVector>(float* q, nint k, float* v0, float* v1, float* y0, float* y1, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        TVector a0 = zero, a1 = zero;
        TVector b0 = zero, b1 = zero;
        TVector c0 = zero, c1 = zero;
        TVector d0 = zero, d1 = zero;
        float* q1 = q + k, q2 = q1 + k, q3 = q2 + k;
        for (nint i = 0; i < k; i++, v0 += Lanes, v1 += Lanes)
        {
            TVector l0 = TSimd.Load(v0), l1 = TSimd.Load(v1);
            TVector element = TSimd.Broadcast(q[i]);
            a0 = TSimd.MultiplyAdd(element, l0, a0);
            a1 = TSimd.MultiplyAdd(element, l1, a1);
            element = TSimd.Broadcast(q1[i]);
            b0 = TSimd.MultiplyAdd(element, l0, b0);
            b1 = TSimd.MultiplyAdd(element, l1, b1);
            element = TSimd.Broadcast(q2[i]);
            c0 = TSimd.MultiplyAdd(element, l0, c0);
            c1 = TSimd.MultiplyAdd(element, l1, c1);
            element = TSimd.Broadcast(q3[i]);
            d0 = TSimd.MultiplyAdd(element, l0, d0);
            d1 = TSimd.MultiplyAdd(element, l1, d1);
        }

        TSimd.Store(y0, a0);
        TSimd.Store(y1, a1);
        TSimd.Store(y0 + ys, b0);
        TSimd.Store(y1 + ys, b1);
        TSimd.Store(y0 + (2 * ys), c0);
        TSimd.Store(y1 + (2 * ys), c1);
        TSimd.Store(y0 + (3 * ys), d0);
        TSimd.Store(y1 + (3 * ys), d1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2x2<TSimd, TVector>(float* q, nint k, float* v0, float* v1, float* y0, float* y1, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        TVector a0 = zero, a1 = zero;
        TVector b0 = zero, b1 = zero;
        float* q1 = q + k;
        for (nint i = 0; i < k; i++, v0 += Lanes, v1 += Lanes)
        {
            TVector l0 = TSimd.Load(v0), l1 = TSimd.Load(v1);
            TVector element = TSimd.Broadcast(q[i]);
            a0 = TSimd.MultiplyAdd(element, l0, a0);
            a1 = TSimd.MultiplyAdd(element, l1, a1);
            element = TSimd.Broadcast(q1[i]);
            b0 = TSimd.MultiplyAdd(element, l0, b0);
            b1 = TSimd.MultiplyAdd(element, l1, b1);
        }

        TSimd.Store(y0, a0);
        TSimd.Store(y1, a1);
        TSimd.Store(y0 + ys, b0);
        TSimd.Store(y1 + ys, b1);
    }
}
