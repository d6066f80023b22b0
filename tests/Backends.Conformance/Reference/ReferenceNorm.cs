namespace Portable.Conformance;

/// <summary>Norms in double precision.</summary>
internal static class ReferenceNorm
{
    public static double[] Rms(ReadOnlySpan<double> x, ReadOnlySpan<double> weight, double epsilon)
    {
        double[] y = new double[x.Length];
        for (int start = 0; start < x.Length; start += weight.Length)
        {
            double squares = 0;
            for (int c = 0; c < weight.Length; c++)
                squares += x[start + c] * x[start + c];
            double root = Math.Sqrt((squares / weight.Length) + epsilon);
            for (int c = 0; c < weight.Length; c++)
                y[start + c] = x[start + c] / root * weight[c];
        }

        return y;
    }

    /// <summary>Also gives the magnitude: what cancels in x - mean counts as it was.</summary>
    public static (double Value, double Magnitude)[] Layer(ReadOnlySpan<double> x, ReadOnlySpan<double> weight, ReadOnlySpan<double> bias, double epsilon)
    {
        double mean = 0, variance = 0;
        foreach (double value in x)
            mean += value / x.Length;
        foreach (double value in x)
            variance += (value - mean) * (value - mean) / x.Length;
        double root = Math.Sqrt(variance + epsilon);
        var y = new (double, double)[x.Length];
        for (int c = 0; c < x.Length; c++)
        {
            double add = bias.IsEmpty ? 0 : bias[c];
            y[c] = (((x[c] - mean) / root * weight[c]) + add, ((Math.Abs(x[c]) + Math.Abs(mean)) / root * Math.Abs(weight[c])) + Math.Abs(add));
        }

        return y;
    }
}
