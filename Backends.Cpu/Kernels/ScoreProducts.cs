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

    /// <summary>Rows of a tile: m is a multiple of it.</summary>
    public const int Rows = 4;

    /// <summary>Computes the scores of m rows with count blocks.</summary>
    /// <param name="q">[m, k].</param>
    /// <param name="m">Rows.</param>
    /// <param name="k">Elements of a query and of a key.</param>
    /// <param name="blocks">Blocks of keys, [k][16].</param>
    /// <param name="columns">Where in a row of y the scores of a block go, ascending; lanes of a block that overlap the next one are overwritten.</param>
    /// <param name="count">Number of blocks.</param>
    /// <param name="limits">[m / 4]: the column from which on no score of four rows is wanted.</param>
    /// <param name="y">Scores.</param>
    /// <param name="ys">Elements from row to row of y.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector>(float* q, int m, int k, float** blocks, int* columns, int count, int* limits, float* y, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(m % Rows == 0 && Lanes % TSimd.Count == 0);
        for (int row = 0; row < m; row += Rows, q += (nint)Rows * k, y += Rows * ys)
        {
            int wanted = count;
            while (wanted > 0 && columns[wanted - 1] >= limits[row / Rows])
                wanted--;
            if (TSimd.Count == Lanes)
            {
                for (int b = 0; b < wanted; b += 2)
                {
                    // The last of an odd number is computed twice.
                    int next = Math.Min(b + 1, wanted - 1);
                    Tile4x2<TSimd, TVector>(q, k, blocks[b], blocks[next], y + columns[b], y + columns[next], ys);
                }
            }
            else
            {
                int width = TSimd.Count;
                for (int b = 0; b < wanted; b++)
                {
                    for (int lane = 0; lane < Lanes; lane += 2 * width)
                        Tile4x2<TSimd, TVector>(q, k, blocks[b] + lane, blocks[b] + lane + width, y + columns[b] + lane, y + columns[b] + lane + width, ys);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x2<TSimd, TVector>(float* q, nint k, float* first, float* second, float* y, float* z, nint ys)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        TVector a0 = zero, a1 = zero, b0 = zero, b1 = zero, c0 = zero, c1 = zero, d0 = zero, d1 = zero;
        float* q1 = q + k, q2 = q1 + k, q3 = q2 + k;
        for (nint i = 0; i < k; i++, first += Lanes, second += Lanes)
        {
            TVector v0 = TSimd.Load(first), v1 = TSimd.Load(second);
            TVector element = TSimd.Broadcast(q[i]);
            a0 = TSimd.MultiplyAdd(element, v0, a0);
            a1 = TSimd.MultiplyAdd(element, v1, a1);
            element = TSimd.Broadcast(q1[i]);
            b0 = TSimd.MultiplyAdd(element, v0, b0);
            b1 = TSimd.MultiplyAdd(element, v1, b1);
            element = TSimd.Broadcast(q2[i]);
            c0 = TSimd.MultiplyAdd(element, v0, c0);
            c1 = TSimd.MultiplyAdd(element, v1, c1);
            element = TSimd.Broadcast(q3[i]);
            d0 = TSimd.MultiplyAdd(element, v0, d0);
            d1 = TSimd.MultiplyAdd(element, v1, d1);
        }

        TSimd.Store(y, a0);
        TSimd.Store(z, a1);
        TSimd.Store(y + ys, b0);
        TSimd.Store(z + ys, b1);
        TSimd.Store(y + (2 * ys), c0);
        TSimd.Store(z + (2 * ys), c1);
        TSimd.Store(y + (3 * ys), d0);
        TSimd.Store(z + (3 * ys), d1);
    }
}
