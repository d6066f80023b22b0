namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarLayerNorm"/>.</summary>
internal static unsafe class LayerNormKernel
{
    /// <inheritdoc cref="ScalarLayerNorm.Run"/>
    public static void Run(float* input, float* weight, float* bias, float* output, int length, float epsilon) =>
        ScalarLayerNorm.Run(input, weight, bias, output, length, epsilon);
}
