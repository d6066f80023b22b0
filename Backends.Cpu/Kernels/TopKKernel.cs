using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarTopK"/>: vectors skip what cannot enter, which is almost everything.</summary>
internal static unsafe class TopKKernel
{
    /// <inheritdoc cref="ScalarTopK.Run"/>
    public static void Run(float* input, int length, int* columns, float* values, int count)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(input, length, columns, values, count);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(input, length, columns, values, count);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(input, length, columns, values, count);
        else
            ScalarTopK.Run(input, length, columns, values, count);
    }

    /// <summary>One width of the ladder.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(float* input, int length, int* columns, float* values, int count)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count, kept = 0, i = 0;
        for (; i < count; i++)
            ScalarTopK.Insert(input[i], i, columns, values, ref kept, count);
        for (; i + (4 * width) <= length; i += 4 * width)
        {
            TVector largest = TSimd.Max(
                TSimd.Max(TSimd.Load(input + i), TSimd.Load(input + i + width)),
                TSimd.Max(TSimd.Load(input + i + (2 * width)), TSimd.Load(input + i + (3 * width))));
            if (!(TSimd.MaxLane(largest) > values[count - 1]))
                continue;
            for (int j = i; j < i + (4 * width); j++)
                ScalarTopK.Insert(input[j], j, columns, values, ref kept, count);
        }

        for (; i < length; i++)
            ScalarTopK.Insert(input[i], i, columns, values, ref kept, count);
    }
}
