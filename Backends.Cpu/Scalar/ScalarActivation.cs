namespace Portable.Backends.Cpu;

/// <summary>Activation functions of one element, evaluated in float64 and rounded once.</summary>
internal static class ScalarActivation
{
    /// <summary>act(x).</summary>
    public static float Evaluate(float value, ActivationKind kind, float parameter)
    {
        double x = value;
        return (float)(kind switch
        {
            ActivationKind.Silu => x / (1 + Math.Exp(-x)),
            ActivationKind.Gelu => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
            ActivationKind.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
            ActivationKind.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
            ActivationKind.Sigmoid => 1 / (1 + Math.Exp(-x)),
            ActivationKind.Relu => Math.Max(x, 0),
            ActivationKind.SoftCap => parameter * Math.Tanh(x / parameter),
            _ => throw new UnsupportedException($"Activation {kind}", "the CPU does not know it"),
        });
    }

    /// <summary>output = act(input) over a row.</summary>
    public static unsafe void Run(float* input, float* output, int length, ActivationKind kind, float parameter)
    {
        for (int i = 0; i < length; i++)
            output[i] = Evaluate(input[i], kind, parameter);
    }

    /// <summary>
    /// The error function: below 3 by its series of positive terms, above by the continued fraction of erfc.
    /// Source: Abramowitz and Stegun, 7.1.6 and 7.1.14.
    /// </summary>
    public static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (double.IsNaN(x))
            return x;
        if (a > 6)
            return Math.Sign(x);
        if (a < 3)
        {
            double term = x, sum = x;
            for (int n = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); n++)
            {
                term *= 2 * x * x / ((2 * n) + 1);
                sum += term;
            }

            return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
        }

        double fraction = a;
        for (int n = 60; n >= 1; n--)
            fraction = a + (n / 2.0 / fraction);
        return Math.CopySign(1 - (Math.Exp(-a * a) / (Math.Sqrt(Math.PI) * fraction)), x);
    }
}
