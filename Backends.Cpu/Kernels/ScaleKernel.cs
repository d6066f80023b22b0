using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>A row multiplied by one number in place.</summary>
internal static unsafe class ScaleKernel
{
    /// <summary>values *= scale.</summary>
    public static void Run(float* values, int length, float scale)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(values, length, scale);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(values, length, scale);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(values, length, scale);
        else
            Run<FloatSimdScalar, float>(values, length, scale);
    }

    /// <summary>One width of the ladder.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(float* values, int length, float scale)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int i = 0;
        TVector factor = TSimd.Broadcast(scale);
        for (; i + TSimd.Count <= length; i += TSimd.Count)
            TSimd.Store(values + i, TSimd.Multiply(TSimd.Load(values + i), factor));
        for (; i < length; i++)
            values[i] *= scale;
    }
}
