namespace Portable.Conformance;

/// <summary>Activations in double precision, as the papers and PyTorch define them.</summary>
internal static class ReferenceActivation
{
    public static double Of(ActivationKind kind, double x, double parameter = 0) => kind switch
    {
        ActivationKind.Silu => x * Sigmoid(x),
        ActivationKind.Gelu => x * Phi(x),
        ActivationKind.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * Math.Pow(x, 3))))),
        ActivationKind.QuickGelu => x * Sigmoid(1.702 * x),
        ActivationKind.Sigmoid => Sigmoid(x),
        ActivationKind.Relu => x > 0 ? x : 0,
        ActivationKind.SoftCap => parameter * Math.Tanh(x / parameter),
        ActivationKind.ClampedSwiglu => Math.Min(x, parameter) * Sigmoid(1.702 * Math.Min(x, parameter)),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no reference"),
    };

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    // The normal distribution function by its Taylor series near 0 and by Lentz's continued fraction in the tails
    // (Abramowitz and Stegun 26.2.10 and 26.2.14).
    private static double Phi(double x)
    {
        double density = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
        if (Math.Abs(x) < 4)
        {
            double term = x, sum = x;
            for (int n = 1; n < 200 && Math.Abs(term) > 1e-18; n++)
            {
                term *= x * x / ((2 * n) + 1);
                sum += term;
            }

            return 0.5 + (density * sum);
        }

        double fraction = 0;
        for (int n = 60; n >= 1; n--)
            fraction = n / (Math.Abs(x) + fraction);
        double tail = density / (Math.Abs(x) + fraction);
        return x < 0 ? tail : 1 - tail;
    }
}
