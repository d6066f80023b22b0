namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarRmsNorm"/>.</summary>
internal static unsafe class RmsNormKernel
{
    /// <inheritdoc cref="ScalarRmsNorm.Run"/>
    public static void Run(float* input, float* weight, float* output, int length, float epsilon, float* residual) =>
        ScalarRmsNorm.Run(input, weight, output, length, epsilon, residual);
}
