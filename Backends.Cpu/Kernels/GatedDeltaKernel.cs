using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarGatedDelta"/>.</summary>
internal static unsafe class GatedDeltaKernel
{
    /// <inheritdoc cref="ScalarGatedDelta.Run"/>
    public static void Run(float* query, float* key, float* value, float decay, float beta, float* state, float* output, int keySize, int valueSize)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(query, key, value, decay, beta, state, output, keySize, valueSize);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(query, key, value, decay, beta, state, output, keySize, valueSize);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(query, key, value, decay, beta, state, output, keySize, valueSize);
        else
            ScalarGatedDelta.Run(query, key, value, decay, beta, state, output, keySize, 0, valueSize);
    }

    /// <summary>One width of the ladder; products and sums are rounded apart, as the scalar form does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(
        float* query, float* key, float* value, float decay, float beta, float* state, float* output, int keySize, int valueSize)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int j = 0;
        TVector decays = TSimd.Broadcast(decay), betas = TSimd.Broadcast(beta);
        for (; j + TSimd.Count <= valueSize; j += TSimd.Count)
        {
            TVector held = TSimd.Broadcast(0), sum = held;
            for (int i = 0; i < keySize; i++)
                held = TSimd.Add(held, TSimd.Multiply(TSimd.Broadcast(key[i]), TSimd.Multiply(TSimd.Load(state + ((nint)i * valueSize) + j), decays)));
            TVector delta = TSimd.Multiply(betas, TSimd.Subtract(TSimd.Load(value + j), held));
            for (int i = 0; i < keySize; i++)
            {
                float* element = state + ((nint)i * valueSize) + j;
                TVector updated = TSimd.Add(TSimd.Multiply(TSimd.Load(element), decays), TSimd.Multiply(TSimd.Broadcast(key[i]), delta));
                TSimd.Store(element, updated);
                sum = TSimd.Add(sum, TSimd.Multiply(TSimd.Broadcast(query[i]), updated));
            }

            TSimd.Store(output + j, sum);
        }

        ScalarGatedDelta.Run(query, key, value, decay, beta, state, output, keySize, j, valueSize);
    }
}
