namespace Portable.Backends.Cpu;

/// <summary>act(gate) * up over a row.</summary>
internal static unsafe class ScalarGatedActivation
{
    /// <summary>output may be one of the inputs.</summary>
    public static void Run(float* gate, float* up, float* output, int length, ActivationKind kind, float parameter)
    {
        for (int i = 0; i < length; i++)
        {
            output[i] = kind == ActivationKind.ClampedSwiglu
                ? ScalarActivation.Evaluate(Math.Min(gate[i], parameter), ActivationKind.QuickGelu, 0) * (Math.Clamp(up[i], -parameter, parameter) + 1)
                : ScalarActivation.Evaluate(gate[i], kind, 0) * up[i];
        }
    }
}
