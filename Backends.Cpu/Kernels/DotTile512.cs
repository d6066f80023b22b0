using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Portable.Backends.Cpu;

/// <summary>
/// Four rows of x by six of w in AVX-512: 24 accumulators, 4 vectors of x and 1 of w in 32 registers. The same sums as the other tiles of
/// <see cref="DotProducts"/>, bit for bit.
/// </summary>
internal static unsafe class DotTile512
{
    /// <summary>Rows of x.</summary>
    public const int Rows = 4;

    /// <summary>Rows of w, which are columns of y.</summary>
    public const int Columns = 6;

    /// <summary>Adds to y [4][6]; k is a multiple of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* x, nint xs, float* w, nint ws, int k, float* y, nint ys)
    {
        Debug.Assert(k % 16 == 0);
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default;
        Vector512<float> b0 = default, b1 = default, b2 = default, b3 = default, b4 = default, b5 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default;
        Vector512<float> d0 = default, d1 = default, d2 = default, d3 = default, d4 = default, d5 = default;
        float* x1 = x + xs, x2 = x1 + xs, x3 = x2 + xs;
        float* w1 = w + ws, w2 = w1 + ws, w3 = w2 + ws, w4 = w3 + ws, w5 = w4 + ws;
        for (nint i = 0; i < k; i += 16)
        {
            Vector512<float> p = Vector512.Load(x + i), q = Vector512.Load(x1 + i), r = Vector512.Load(x2 + i), s = Vector512.Load(x3 + i);
            Vector512<float> v = Vector512.Load(w + i);
            a0 = Avx512F.FusedMultiplyAdd(v, p, a0);
            b0 = Avx512F.FusedMultiplyAdd(v, q, b0);
            c0 = Avx512F.FusedMultiplyAdd(v, r, c0);
            d0 = Avx512F.FusedMultiplyAdd(v, s, d0);
            v = Vector512.Load(w1 + i);
            a1 = Avx512F.FusedMultiplyAdd(v, p, a1);
            b1 = Avx512F.FusedMultiplyAdd(v, q, b1);
            c1 = Avx512F.FusedMultiplyAdd(v, r, c1);
            d1 = Avx512F.FusedMultiplyAdd(v, s, d1);
            v = Vector512.Load(w2 + i);
            a2 = Avx512F.FusedMultiplyAdd(v, p, a2);
            b2 = Avx512F.FusedMultiplyAdd(v, q, b2);
            c2 = Avx512F.FusedMultiplyAdd(v, r, c2);
            d2 = Avx512F.FusedMultiplyAdd(v, s, d2);
            v = Vector512.Load(w3 + i);
            a3 = Avx512F.FusedMultiplyAdd(v, p, a3);
            b3 = Avx512F.FusedMultiplyAdd(v, q, b3);
            c3 = Avx512F.FusedMultiplyAdd(v, r, c3);
            d3 = Avx512F.FusedMultiplyAdd(v, s, d3);
            v = Vector512.Load(w4 + i);
            a4 = Avx512F.FusedMultiplyAdd(v, p, a4);
            b4 = Avx512F.FusedMultiplyAdd(v, q, b4);
            c4 = Avx512F.FusedMultiplyAdd(v, r, c4);
            d4 = Avx512F.FusedMultiplyAdd(v, s, d4);
            v = Vector512.Load(w5 + i);
            a5 = Avx512F.FusedMultiplyAdd(v, p, a5);
            b5 = Avx512F.FusedMultiplyAdd(v, q, b5);
            c5 = Avx512F.FusedMultiplyAdd(v, r, c5);
            d5 = Avx512F.FusedMultiplyAdd(v, s, d5);
        }

        // [row][column], four columns of each row; then the last two.
        Vector512<float> z0 = Quarters(a0, b0, c0, d0), z1 = Quarters(a1, b1, c1, d1), z2 = Quarters(a2, b2, c2, d2), z3 = Quarters(a3, b3, c3, d3);
        Vector512<float> z01 = Halves(z0, z1), z23 = Halves(z2, z3);
        Vector512<float> four = Avx512F.UnpackLow(z01.AsDouble(), z23.AsDouble()).AsSingle() + Avx512F.UnpackHigh(z01.AsDouble(), z23.AsDouble()).AsSingle();
        Vector512<float> z45 = Halves(Quarters(a4, b4, c4, d4), Quarters(a5, b5, c5, d5));
        Vector512<float> two = z45 + Avx512F.UnpackHigh(z45.AsDouble(), z45.AsDouble()).AsSingle();
        Add(four.GetLower().GetLower(), two.GetLower().GetLower(), y);
        Add(four.GetLower().GetUpper(), two.GetLower().GetUpper(), y + ys);
        Add(four.GetUpper().GetLower(), two.GetUpper().GetLower(), y + (2 * ys));
        Add(four.GetUpper().GetUpper(), two.GetUpper().GetUpper(), y + (3 * ys));
    }

    // The upper 256 bits of each added to the lower, then 128 to 128: one quarter of the result for each argument.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        Vector512<float> ab = Avx512F.Shuffle4x128(a, b, 0b01_00_01_00) + Avx512F.Shuffle4x128(a, b, 0b11_10_11_10);
        Vector512<float> cd = Avx512F.Shuffle4x128(c, d, 0b01_00_01_00) + Avx512F.Shuffle4x128(c, d, 0b11_10_11_10);
        return Avx512F.Shuffle4x128(ab, cd, 0b10_00_10_00) + Avx512F.Shuffle4x128(ab, cd, 0b11_01_11_01);
    }

    // In each quarter: lanes 0 + 2 of a and of b, then 1 + 3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Halves(Vector512<float> a, Vector512<float> b) => Avx512F.UnpackLow(a, b) + Avx512F.UnpackHigh(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Vector128<float> four, Vector128<float> two, float* y)
    {
        (Vector128.Load(y) + four).Store(y);
        *(double*)(y + 4) = (Vector128.CreateScalarUnsafe(*(double*)(y + 4)).AsSingle() + two).AsDouble().ToScalar();
    }
}
