using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// y = x w^T, or added to y, where rows of both lie along K: the inner loop of matrix products and of attention scores.
/// Each output is one chain of multiply-adds per lane, then the sum of the lanes, whatever the tile it is computed in,
/// so that a row's result does not depend on the rows beside it.
/// </summary>
internal static unsafe class DotProducts
{
    /// <summary>K must be a multiple of this: whole vectors of every width.</summary>
    public const int Multiple = 16;

    /// <summary>Computes an m x n block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector>(float* x, nint xs, int m, float* w, nint ws, int n, int k, float* y, nint ys, bool accumulate)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(k % Multiple == 0 && k >= 0);
        int row = 0;
        for (; row + 3 <= m; row += 3)
        {
            float* rows = x + (row * xs);
            float* outputs = y + (row * ys);
            int column = 0;
            for (; column + 4 <= n; column += 4)
                Tile3x4<TSimd, TVector>(rows, xs, w + (column * ws), ws, k, outputs + column, ys, accumulate);
            for (; column < n; column++)
            {
                for (int r = 0; r < 3; r++)
                    Tile1x1<TSimd, TVector>(rows + (r * xs), w + (column * ws), k, outputs + (r * ys) + column, accumulate);
            }
        }

        for (; row < m; row++)
        {
            int column = 0;
            for (; column + 8 <= n; column += 8)
                Tile1x8<TSimd, TVector>(x + (row * xs), w + (column * ws), ws, k, y + (row * ys) + column, accumulate);
            for (; column < n; column++)
                Tile1x1<TSimd, TVector>(x + (row * xs), w + (column * ws), k, y + (row * ys) + column, accumulate);
        }
    }

    // 12 accumulators, 3 vectors of x and 1 of w: exactly the 16 registers of AVX2.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile3x4<TSimd, TVector>(float* x, nint xs, float* w, nint ws, int k, float* y, nint ys, bool accumulate)
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

        Store4(TSimd.Sum4(a0, a1, a2, a3), y, accumulate);
        Store4(TSimd.Sum4(b0, b1, b2, b3), y + ys, accumulate);
        Store4(TSimd.Sum4(c0, c1, c2, c3), y + ys + ys, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1x8<TSimd, TVector>(float* x, float* w, nint ws, int k, float* y, bool accumulate)
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

        Store4(TSimd.Sum4(a0, a1, a2, a3), y, accumulate);
        Store4(TSimd.Sum4(a4, a5, a6, a7), y + 4, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1x1<TSimd, TVector>(float* x, float* w, int k, float* y, bool accumulate)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector sum = TSimd.Broadcast(0);
        for (nint i = 0; i < k; i += TSimd.Count)
            sum = TSimd.MultiplyAdd(TSimd.Load(w + i), TSimd.Load(x + i), sum);
        *y = accumulate ? *y + TSimd.Sum(sum) : TSimd.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store4(Vector128<float> sums, float* y, bool accumulate)
    {
        if (accumulate)
            sums = Vector128.Load(y) + sums;
        sums.Store(y);
    }
}
