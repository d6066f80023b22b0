using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// y += x w^T for one row of x and eight of w in 16 bits, widened as they are loaded: a language model's head, whose weights come from memory for every
/// token. Sums in the order of <see cref="DotProducts"/>, so that results have the same bits.
/// </summary>
internal static unsafe class SixteenBitDots
{
    /// <summary>Rows of w that are multiplied at once.</summary>
    public const int Rows = 8;

    /// <summary>How a row is stored.</summary>
    public interface ICodes
    {
        static abstract TVector Load<TSimd, TVector>(ushort* source) where TSimd : IFloatSimd<TVector> where TVector : unmanaged;
    }

    /// <summary>float16.</summary>
    public readonly struct Halves : ICodes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(ushort* source) where TSimd : IFloatSimd<TVector> where TVector : unmanaged => TSimd.LoadHalf(source);
    }

    /// <summary>bfloat16.</summary>
    public readonly struct BFloats : ICodes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(ushort* source) where TSimd : IFloatSimd<TVector> where TVector : unmanaged => TSimd.LoadBFloat16(source);
    }

    /// <summary>Adds the eight products to y; k is a multiple of <see cref="DotProducts.Multiple"/>, stride the elements of a row of w.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector, TCodes>(float* x, ushort* w, nint stride, int k, float* y)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TCodes : ICodes
    {
        Debug.Assert(k % DotProducts.Multiple == 0);
        TVector zero = TSimd.Broadcast(0);
        TVector a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
        ushort* w3 = w + (3 * stride), w6 = w3 + (3 * stride);
        for (nint i = 0; i < k; i += TSimd.Count)
        {
            TVector p = TSimd.Load(x + i);
            a0 = TSimd.MultiplyAdd(TCodes.Load<TSimd, TVector>(w + i), p, a0);
            a1 = TSimd.MultiplyAdd(TCodes.Load<TSimd, TVector>(w + stride + i), p, a1);
            a2 = TSimd.MultiplyAdd(TCodes.Load<TSimd, TVector>(w + stride + stride + i), p, a2);
            a3 = TSimd.MultiplyAdd(TCodes.Load<TSimd, TVector>(w3 + i), p, a3);
            a4 = TSimd.MultiplyAdd(TCodes.Load<TSimd, TVector>(w3 + stride + i), p, a4);
            a5 = TSimd.MultiplyAdd(TCodes.Load<TSimd, TVector>(w3 + stride + stride + i), p, a5);
            a6 = TSimd.MultiplyAdd(TCodes.Load<TSimd, TVector>(w6 + i), p, a6);
            a7 = TSimd.MultiplyAdd(TCodes.Load<TSimd, TVector>(w6 + stride + i), p, a7);
        }

        (Vector128.Load(y) + TSimd.Sum4(a0, a1, a2, a3)).Store(y);
        (Vector128.Load(y + 4) + TSimd.Sum4(a4, a5, a6, a7)).Store(y + 4);
    }
}
