using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarAdd"/>.</summary>
internal static unsafe class AddKernel
{
    /// <inheritdoc cref="ScalarAdd.Run"/>
    public static void Run(float* a, float* b, float* output, int length, float scale)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(a, b, output, length, scale);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(a, b, output, length, scale);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(a, b, output, length, scale);
        else
            ScalarAdd.Run(a, b, output, length, scale);
    }

    /// <summary>One width of the ladder; product and sum are rounded apart, as the scalar form does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(float* a, float* b, float* output, int length, float scale)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int i = 0;
        TVector factor = TSimd.Broadcast(scale);
        for (; i + TSimd.Count <= length; i += TSimd.Count)
            TSimd.Store(output + i, TSimd.Add(TSimd.Load(a + i), TSimd.Multiply(factor, TSimd.Load(b + i))));
        ScalarAdd.Run(a + i, b + i, output + i, length - i, scale);
    }
}
