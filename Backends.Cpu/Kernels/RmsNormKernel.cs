using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarRmsNorm"/>.</summary>
internal static unsafe class RmsNormKernel
{
    /// <inheritdoc cref="ScalarRmsNorm.Run"/>
    public static void Run(float* input, float* weight, float* output, int length, float epsilon, float* residual)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(input, weight, output, length, epsilon, residual);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(input, weight, output, length, epsilon, residual);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(input, weight, output, length, epsilon, residual);
        else
            ScalarRmsNorm.Run(input, weight, output, length, epsilon, residual);
    }

    /// <summary>One width of the ladder. The sum of squares has four chains per lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(float* input, float* weight, float* output, int length, float epsilon, float* residual)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(length > 0);
        if (residual is not null)
        {
            AddKernel.Run<TSimd, TVector>(residual, input, residual, length, 1);
            input = residual;
        }

        int width = TSimd.Count, i = 0;
        TVector a = TSimd.Broadcast(0), b = a, c = a, d = a;
        for (; i + (4 * width) <= length; i += 4 * width)
        {
            TVector p = TSimd.Load(input + i), q = TSimd.Load(input + i + width);
            TVector r = TSimd.Load(input + i + (2 * width)), s = TSimd.Load(input + i + (3 * width));
            a = TSimd.MultiplyAdd(p, p, a);
            b = TSimd.MultiplyAdd(q, q, b);
            c = TSimd.MultiplyAdd(r, r, c);
            d = TSimd.MultiplyAdd(s, s, d);
        }

        float sum = TSimd.Sum(TSimd.Add(TSimd.Add(a, b), TSimd.Add(c, d)));
        for (; i < length; i++)
            sum += input[i] * input[i];
        float factor = (float)(1 / Math.Sqrt((sum / (double)length) + epsilon));
        TVector factors = TSimd.Broadcast(factor);
        for (i = 0; i + width <= length; i += width)
            TSimd.Store(output + i, TSimd.Multiply(TSimd.Multiply(TSimd.Load(input + i), factors), TSimd.Load(weight + i)));
        for (; i < length; i++)
            output[i] = input[i] * factor * weight[i];
    }
}
