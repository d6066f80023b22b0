namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarAdd"/>.</summary>
internal static unsafe class AddKernel
{
    /// <inheritdoc cref="ScalarAdd.Run"/>
    public static void Run(float* a, float* b, float* output, int length, float scale) =>
        ScalarAdd.Run(a, b, output, length, scale);
}
