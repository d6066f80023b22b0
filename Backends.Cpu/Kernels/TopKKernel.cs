namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarTopK"/>.</summary>
internal static unsafe class TopKKernel
{
    /// <inheritdoc cref="ScalarTopK.Run"/>
    public static void Run(float* input, int length, int* columns, float* values, int count) =>
        ScalarTopK.Run(input, length, columns, values, count);
}
