using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarCast"/>; float32 to and from float16 in vectors, other pairs one by one.</summary>
internal static unsafe class CastKernel
{
    /// <inheritdoc cref="ScalarCast.Run"/>
    public static void Run(byte* source, ElementType sourceType, byte* output, ElementType outputType, int length)
    {
        if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(source, sourceType, output, outputType, length);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(source, sourceType, output, outputType, length);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(source, sourceType, output, outputType, length);
        else
            ScalarCast.Run(source, sourceType, output, outputType, length);
    }

    /// <summary>One width of the ladder.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(byte* source, ElementType sourceType, byte* output, ElementType outputType, int length)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int i = 0;
        if (sourceType == ElementType.Float32 && outputType == ElementType.Float16)
        {
            for (; i + TSimd.Count <= length; i += TSimd.Count)
                TSimd.StoreHalf((ushort*)output + i, TSimd.Load((float*)source + i));
        }
        else if (sourceType == ElementType.Float16 && outputType == ElementType.Float32)
        {
            for (; i + TSimd.Count <= length; i += TSimd.Count)
                TSimd.Store((float*)output + i, TSimd.LoadHalf((ushort*)source + i));
        }

        for (; i < length; i++)
            ScalarCast.Store(output, outputType, i, ScalarCast.Load(source, sourceType, i));
    }
}
