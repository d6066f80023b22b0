namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarActivation"/>.</summary>
internal static unsafe class ActivationKernel
{
    /// <inheritdoc cref="ScalarActivation.Run"/>
    public static void Run(float* input, float* output, int length, ActivationKind kind, float parameter) =>
        ScalarActivation.Run(input, output, length, kind, parameter);
}
