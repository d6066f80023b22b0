namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarMultiply"/>.</summary>
internal static unsafe class MultiplyKernel
{
    /// <inheritdoc cref="ScalarMultiply.Run"/>
    public static void Run(float* a, float* b, float* output, int length) =>
        ScalarMultiply.Run(a, b, output, length);
}
