using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Portable.Backends.Cpu;

namespace Portable.Benchmarks;

/// <summary>Fused multiply-adds of float32 in registers alone, by all threads at once: what float work could reach at best.</summary>
internal static unsafe class FloatPeak
{
    // A millisecond or two: in less time than a worker takes to wake, the calling thread would do its chunk too.
    private const int Rounds = 500_000, Chains = 12;

    /// <summary>Billions of operations a second, 2 for a multiply-add; the better of the widths that the machine has.</summary>
    public static double GigaFlops(int threads)
    {
        using var pool = new WorkerPool(threads);
        using var memory = new NativeBlock(64 * threads);
        new Span<byte>(memory.Data, 64 * threads).Clear();
        nint sums = (nint)memory.Data;
        double half = Vector256<float>.Count / Measure.Best(0.5, () => pool.Run(&Chunk256, (void*)sums, threads));
        double whole = Avx512F.IsSupported ? Vector512<float>.Count / Measure.Best(0.5, () => pool.Run(&Chunk512, (void*)sums, threads)) : 0;
        return 2.0 * Chains * Rounds * threads * Math.Max(half, whole) / 1e9;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chunk256(void* sums, int worker, int chunk)
    {
        Vector256<float> factor = Vector256.Create(0.9999f), term = Vector256.Create(1e-4f);
        Vector256<float> a = term, b = term, c = term, d = term, e = term, f = term, g = term, h = term, i = term, j = term, k = term, l = term;
        for (int round = 0; round < Rounds; round++)
        {
            a = Vector256.FusedMultiplyAdd(a, factor, term);
            b = Vector256.FusedMultiplyAdd(b, factor, term);
            c = Vector256.FusedMultiplyAdd(c, factor, term);
            d = Vector256.FusedMultiplyAdd(d, factor, term);
            e = Vector256.FusedMultiplyAdd(e, factor, term);
            f = Vector256.FusedMultiplyAdd(f, factor, term);
            g = Vector256.FusedMultiplyAdd(g, factor, term);
            h = Vector256.FusedMultiplyAdd(h, factor, term);
            i = Vector256.FusedMultiplyAdd(i, factor, term);
            j = Vector256.FusedMultiplyAdd(j, factor, term);
            k = Vector256.FusedMultiplyAdd(k, factor, term);
            l = Vector256.FusedMultiplyAdd(l, factor, term);
        }

        (a + b + c + d + e + f + g + h + i + j + k + l).Store((float*)sums + (16 * chunk));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chunk512(void* sums, int worker, int chunk)
    {
        Vector512<float> factor = Vector512.Create(0.9999f), term = Vector512.Create(1e-4f);
        Vector512<float> a = term, b = term, c = term, d = term, e = term, f = term, g = term, h = term, i = term, j = term, k = term, l = term;
        for (int round = 0; round < Rounds; round++)
        {
            a = Avx512F.FusedMultiplyAdd(a, factor, term);
            b = Avx512F.FusedMultiplyAdd(b, factor, term);
            c = Avx512F.FusedMultiplyAdd(c, factor, term);
            d = Avx512F.FusedMultiplyAdd(d, factor, term);
            e = Avx512F.FusedMultiplyAdd(e, factor, term);
            f = Avx512F.FusedMultiplyAdd(f, factor, term);
            g = Avx512F.FusedMultiplyAdd(g, factor, term);
            h = Avx512F.FusedMultiplyAdd(h, factor, term);
            i = Avx512F.FusedMultiplyAdd(i, factor, term);
            j = Avx512F.FusedMultiplyAdd(j, factor, term);
            k = Avx512F.FusedMultiplyAdd(k, factor, term);
            l = Avx512F.FusedMultiplyAdd(l, factor, term);
        }

        (a + b + c + d + e + f + g + h + i + j + k + l).Store((float*)sums + (16 * chunk));
    }
}
