using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarRope"/>. Neighbouring pairs are turned one by one: their share of a step is small.</summary>
internal static unsafe class RopeKernel
{
    /// <inheritdoc cref="ScalarRope.Run"/>
    public static void Run(float* head, float* angles, int half, RopeStyle style)
    {
        if (style == RopeStyle.Pairs)
            ScalarRope.Run(head, angles, half, style);
        else if (Vector512.IsHardwareAccelerated)
            Halves<FloatSimd512, Vector512<float>>(head, angles, half);
        else if (Vector256.IsHardwareAccelerated)
            Halves<FloatSimd256, Vector256<float>>(head, angles, half);
        else if (Vector128.IsHardwareAccelerated)
            Halves<FloatSimd128, Vector128<float>>(head, angles, half);
        else
            ScalarRope.Run(head, angles, half, style);
    }

    /// <summary>One width of the ladder, for <see cref="RopeStyle.Halves"/>; the roundings of the scalar form.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Halves<TSimd, TVector>(float* head, float* angles, int half)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int j = 0;
        for (; j + TSimd.Count <= half; j += TSimd.Count)
        {
            TVector a = TSimd.Load(head + j), b = TSimd.Load(head + half + j);
            TVector cosine = TSimd.Load(angles + j), sine = TSimd.Load(angles + half + j);
            TSimd.Store(head + j, TSimd.Subtract(TSimd.Multiply(a, cosine), TSimd.Multiply(b, sine)));
            TSimd.Store(head + half + j, TSimd.Add(TSimd.Multiply(b, cosine), TSimd.Multiply(a, sine)));
        }

        for (; j < half; j++)
        {
            float a = head[j], b = head[half + j], cosine = angles[j], sine = angles[half + j];
            head[j] = (a * cosine) - (b * sine);
            head[half + j] = (b * cosine) + (a * sine);
        }
    }
}
