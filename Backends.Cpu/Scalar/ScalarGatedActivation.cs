namespace Portable.Backends.Cpu;

/// <summary>act(gate) * up over a row.</summary>
internal static unsafe class ScalarGatedActivation
{
    /// <summary>output may be one of the inputs.</summary>
    public static void Run(float* gate, float* up, float* output, int length, ActivationKind kind)
    {
        for (int i = 0; i < length; i++)
            output[i] = ScalarActivation.Evaluate(gate[i], kind, 0) * up[i];
    }
}
