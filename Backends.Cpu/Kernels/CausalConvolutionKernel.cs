using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarCausalConvolution"/>.</summary>
internal static unsafe class CausalConvolutionKernel
{
    /// <inheritdoc cref="ScalarCausalConvolution.Run"/>
    public static void Run(float** rows, float* taps, int count, float* output, int channels)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(rows, taps, count, output, channels);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(rows, taps, count, output, channels);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(rows, taps, count, output, channels);
        else
            ScalarCausalConvolution.Run(rows, taps, count, output, 0, channels);
    }

    /// <summary>One width of the ladder; product and sum are rounded apart, as the scalar form does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(float** rows, float* taps, int count, float* output, int channels)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int c = 0;
        for (; c + TSimd.Count <= channels; c += TSimd.Count)
        {
            TVector sum = TSimd.Broadcast(0);
            for (int k = 0; k < count; k++)
                sum = TSimd.Add(sum, TSimd.Multiply(TSimd.Load(taps + ((nint)k * channels) + c), TSimd.Load(rows[k] + c)));
            TSimd.Store(output + c, sum);
        }

        ScalarCausalConvolution.Run(rows, taps, count, output, c, channels);
    }
}
