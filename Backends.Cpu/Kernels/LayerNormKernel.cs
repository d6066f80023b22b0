using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarLayerNorm"/>.</summary>
internal static unsafe class LayerNormKernel
{
    /// <inheritdoc cref="ScalarLayerNorm.Run"/>
    public static void Run(float* input, float* weight, float* bias, float* output, int length, float epsilon)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(input, weight, bias, output, length, epsilon);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(input, weight, bias, output, length, epsilon);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(input, weight, bias, output, length, epsilon);
        else
            ScalarLayerNorm.Run(input, weight, bias, output, length, epsilon);
    }

    /// <summary>One width of the ladder. The variance is summed around the mean, in a second pass: one pass would cancel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(float* input, float* weight, float* bias, float* output, int length, float epsilon)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(length > 0);
        int width = TSimd.Count, i = 0;
        TVector zero = TSimd.Broadcast(0), a = zero, b = zero;
        for (; i + (2 * width) <= length; i += 2 * width)
        {
            a = TSimd.Add(a, TSimd.Load(input + i));
            b = TSimd.Add(b, TSimd.Load(input + i + width));
        }

        double sum = TSimd.Sum(TSimd.Add(a, b));
        for (; i < length; i++)
            sum += input[i];
        float mean = (float)(sum / length);
        TVector means = TSimd.Broadcast(mean);
        a = b = zero;
        for (i = 0; i + (2 * width) <= length; i += 2 * width)
        {
            TVector p = TSimd.Subtract(TSimd.Load(input + i), means), q = TSimd.Subtract(TSimd.Load(input + i + width), means);
            a = TSimd.MultiplyAdd(p, p, a);
            b = TSimd.MultiplyAdd(q, q, b);
        }

        double squares = TSimd.Sum(TSimd.Add(a, b));
        for (; i < length; i++)
            squares += (input[i] - mean) * (input[i] - mean);
        float factor = (float)(1 / Math.Sqrt((squares / length) + epsilon));
        TVector factors = TSimd.Broadcast(factor);
        for (i = 0; i + width <= length; i += width)
        {
            TVector value = TSimd.Multiply(TSimd.Multiply(TSimd.Subtract(TSimd.Load(input + i), means), factors), TSimd.Load(weight + i));
            TSimd.Store(output + i, bias is null ? value : TSimd.Add(value, TSimd.Load(bias + i)));
        }

        for (; i < length; i++)
            output[i] = ((input[i] - mean) * factor * weight[i]) + (bias is null ? 0 : bias[i]);
    }
}
