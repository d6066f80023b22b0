using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>float16 to float32; exact.</summary>
internal static unsafe class WidenKernel
{
    /// <summary>Widens length elements, a multiple of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSimd, TVector>(ushort* source, float* destination, nint length)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        for (nint i = 0; i < length; i += TSimd.Count)
            TSimd.Store(destination + i, TSimd.LoadHalf(source + i));
    }
}
