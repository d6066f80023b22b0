namespace Portable.Vision.Processing;

/// <summary>
/// The weights of one axis of a resize: for every output index the first source index, the number of taps and the
/// taps' weights in 22-bit fixed point. Formula and rounding are those of Pillow's 8-bit resampling.
/// </summary>
internal sealed class ResampleCoefficients
{
    /// <summary>Fraction bits of a weight: 32 less 8 bits of sample and 2 of headroom.</summary>
    public const int PrecisionBits = 22;

    private readonly int[] _weights;
    private readonly int _capacity;

    private ResampleCoefficients(int outputs, int capacity)
    {
        First = new int[outputs];
        Count = new int[outputs];
        _capacity = capacity;
        _weights = new int[checked(outputs * capacity)];
    }

    /// <summary>First source index of every output index.</summary>
    public int[] First { get; }

    /// <summary>Number of taps of every output index.</summary>
    public int[] Count { get; }

    /// <summary>The weights of one output index.</summary>
    public ReadOnlySpan<int> Weights(int output) => _weights.AsSpan(output * _capacity, Count[output]);

    /// <summary>Computes the weights that map the source interval [low, high) of an axis to <paramref name="outputs"/> pixels.</summary>
    public static ResampleCoefficients Create(ResampleFilter filter, int sourceSize, float low, float high, int outputs)
    {
        // Pillow subtracts the box edges in float32 and goes on in double.
        double scale = (double)(high - low) / outputs;
        double filterScale = Math.Max(scale, 1.0);
        double support = Support(filter) * filterScale;
        double inverse = 1.0 / filterScale;
        int capacity = checked((int)Math.Ceiling(support) * 2 + 1);
        var result = new ResampleCoefficients(outputs, capacity);
        double[] taps = new double[capacity];
        for (int output = 0; output < outputs; output++)
        {
            double centre = low + (output + 0.5) * scale;
            int first = Math.Max(0, (int)(centre - support + 0.5));
            int end = Math.Min(sourceSize, (int)(centre + support + 0.5));
            int count = end - first;
            double sum = 0;
            for (int k = 0; k < count; k++)
            {
                taps[k] = Weight(filter, (k + first - centre + 0.5) * inverse);
                sum += taps[k];
            }

            Span<int> weights = result._weights.AsSpan(output * capacity, count);
            for (int k = 0; k < count; k++)
            {
                double weight = sum != 0 ? taps[k] / sum : taps[k];
                weights[k] = (int)(weight * (1 << PrecisionBits) + (weight < 0 ? -0.5 : 0.5));
            }

            result.First[output] = first;
            result.Count[output] = count;
        }

        return result;
    }

    /// <summary>Half the width of a filter, in source pixels at scale 1.</summary>
    public static double Support(ResampleFilter filter) => filter switch
    {
        ResampleFilter.Box => 0.5,
        ResampleFilter.Bilinear or ResampleFilter.Hamming => 1.0,
        ResampleFilter.Bicubic => 2.0,
        ResampleFilter.Lanczos => 3.0,
        _ => throw new ArgumentOutOfRangeException(nameof(filter), filter, "Not a filter with weights."),
    };

    private static double Weight(ResampleFilter filter, double x)
    {
        switch (filter)
        {
            case ResampleFilter.Box:
                return x is > -0.5 and <= 0.5 ? 1.0 : 0.0;
            case ResampleFilter.Bilinear:
                x = Math.Abs(x);
                return x < 1.0 ? 1.0 - x : 0.0;
            case ResampleFilter.Hamming:
                x = Math.Abs(x);
                if (x == 0.0)
                    return 1.0;
                if (x >= 1.0)
                    return 0.0;
                x *= Math.PI;
                // The constants are float32 literals in Pillow.
                return Math.Sin(x) / x * (0.54f + 0.46f * Math.Cos(x));
            case ResampleFilter.Bicubic:
                const double A = -0.5;
                x = Math.Abs(x);
                if (x < 1.0)
                    return ((A + 2.0) * x - (A + 3.0)) * x * x + 1;
                return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * A : 0.0;
            default:
                return x is >= -3.0 and < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0;
        }
    }

    private static double Sinc(double x)
    {
        if (x == 0.0)
            return 1.0;
        x *= Math.PI;
        return Math.Sin(x) / x;
    }
}
