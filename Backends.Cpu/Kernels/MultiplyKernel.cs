using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarMultiply"/>.</summary>
internal static unsafe class MultiplyKernel
{
    /// <inheritdoc cref="ScalarMultiply.Run"/>
    public static void Run(float* a, float* b, float* output, int length)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(a, b, output, length);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(a, b, output, length);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(a, b, output, length);
        else
            ScalarMultiply.Run(a, b, output, length);
    }

    /// <summary>One width of the ladder.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(float* a, float* b, float* output, int length)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int i = 0;
        for (; i + TSimd.Count <= length; i += TSimd.Count)
            TSimd.Store(output + i, TSimd.Multiply(TSimd.Load(a + i), TSimd.Load(b + i)));
        ScalarMultiply.Run(a + i, b + i, output + i, length - i);
    }
}
