namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarGatedActivation"/>.</summary>
internal static unsafe class GatedActivationKernel
{
    /// <inheritdoc cref="ScalarGatedActivation.Run"/>
    public static void Run(float* gate, float* up, float* output, int length, ActivationKind kind) =>
        ScalarGatedActivation.Run(gate, up, output, length, kind);
}
