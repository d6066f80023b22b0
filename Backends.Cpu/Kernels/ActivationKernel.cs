using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarActivation"/> and <see cref="ScalarGatedActivation"/>.</summary>
internal static unsafe class ActivationKernel
{
    /// <summary>output = act(input), times up where that is not null. The output may be one of the inputs.</summary>
    public static void Run(float* input, float* up, float* output, int length, ActivationKind kind, float parameter)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(input, up, output, length, kind, parameter);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(input, up, output, length, kind, parameter);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(input, up, output, length, kind, parameter);
        else if (up is null)
            ScalarActivation.Run(input, output, length, kind, parameter);
        else
            ScalarGatedActivation.Run(input, up, output, length, kind, parameter);
    }

    /// <summary>One width of the ladder.</summary>
    internal static void Run<TSimd, TVector>(float* input, float* up, float* output, int length, ActivationKind kind, float parameter)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        switch (kind)
        {
            case ActivationKind.Silu:
                Map<TSimd, TVector, Silu>(input, up, output, length, parameter);
                break;
            case ActivationKind.Gelu:
                Map<TSimd, TVector, Gelu>(input, up, output, length, parameter);
                break;
            case ActivationKind.GeluTanh:
                Map<TSimd, TVector, GeluTanh>(input, up, output, length, parameter);
                break;
            case ActivationKind.QuickGelu:
                Map<TSimd, TVector, QuickGelu>(input, up, output, length, parameter);
                break;
            case ActivationKind.Sigmoid:
                Map<TSimd, TVector, Sigmoid>(input, up, output, length, parameter);
                break;
            case ActivationKind.Relu:
                Map<TSimd, TVector, Relu>(input, up, output, length, parameter);
                break;
            case ActivationKind.SoftCap:
                Map<TSimd, TVector, SoftCap>(input, up, output, length, parameter);
                break;
            case ActivationKind.ClampedSwiglu:
                Map<TSimd, TVector, ClampedSwiglu>(input, up, output, length, parameter);
                break;
            default:
                throw new UnsupportedException($"Activation {kind}", "the CPU does not know it");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Map<TSimd, TVector, TActivation>(float* input, float* up, float* output, int length, float parameter)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TActivation : IActivation
    {
        int i = 0;
        TVector parameters = TSimd.Broadcast(parameter);
        for (; i + TSimd.Count <= length; i += TSimd.Count)
        {
            TVector value = TActivation.Apply<TSimd, TVector>(TSimd.Load(input + i), parameters);
            TSimd.Store(output + i, up is null ? value : TSimd.Multiply(value, TActivation.Up<TSimd, TVector>(TSimd.Load(up + i), parameters)));
        }

        for (; i < length; i++)
        {
            float value = TActivation.Apply<FloatSimdScalar, float>(input[i], parameter);
            output[i] = up is null ? value : value * TActivation.Up<FloatSimdScalar, float>(up[i], parameter);
        }
    }
}
