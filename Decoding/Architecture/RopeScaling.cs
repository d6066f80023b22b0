namespace Portable.Decoding.Architecture;

/// <summary>The kinds of rope scaling.</summary>
internal enum RopeScalingKind
{
    /// <summary>None.</summary>
    None,

    /// <summary>All frequencies divided by a factor.</summary>
    Linear,

    /// <summary>Low frequencies divided, high ones kept, a smooth band between (Llama 3.1).</summary>
    Llama3,

    /// <summary>As Llama 3.1's, the band a ramp over the index of the frequency. Source: Peng et al. 2023, YaRN.</summary>
    Yarn,

    /// <summary>A divisor for each frequency, one set up to the original context and one above. Source: Ding et al. 2024, LongRoPE.</summary>
    LongRope,

    /// <summary>A base that grows with the length beyond the original context (dynamic NTK).</summary>
    Dynamic,
}

/// <summary>How rotary frequencies are changed for contexts beyond the trained one. Formulas as in the models' published code.</summary>
/// <param name="Kind">The formula.</param>
internal sealed record RopeScaling(RopeScalingKind Kind)
{
    /// <summary>Frequencies as they are.</summary>
    public static RopeScaling None { get; } = new(RopeScalingKind.None);

    /// <summary>How far the context is extended.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Llama 3: waves longer than the original context divided by this are divided by the factor.</summary>
    public double LowFactor { get; init; } = 1;

    /// <summary>Llama 3: waves shorter than the original context divided by this are kept.</summary>
    public double HighFactor { get; init; } = 4;

    /// <summary>YaRN: waves that turn more often than this within the original context are kept.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>YaRN: waves that turn less often than this are divided by the factor.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN: whether the ends of the ramp are whole indices.</summary>
    public bool IsRampTruncated { get; init; } = true;

    /// <summary>The context that the model was trained on before it was extended.</summary>
    public int OriginalContext { get; init; }

    /// <summary>LongRoPE: divides each inverse frequency of sequences within the original context.</summary>
    public IReadOnlyList<float> ShortFactors { get; init; } = [];

    /// <summary>LongRoPE: the same for longer sequences.</summary>
    public IReadOnlyList<float> LongFactors { get; init; } = [];

    /// <summary>Multiplies cosines and sines.</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>
    /// What of a sequence's length the frequencies depend on: sequences of equal class may share keys. One class only,
    /// except for LongRoPE (two) and dynamic scaling (one for each length beyond the original context).
    /// </summary>
    public int LengthClass(int tokens) => Kind switch
    {
        RopeScalingKind.LongRope => tokens > OriginalContext ? 1 : 0,
        RopeScalingKind.Dynamic => Math.Max(tokens, OriginalContext),
        _ => 0,
    };

    /// <summary>The inverse frequencies theta^(-2j / d), scaled for sequences of up to a number of tokens.</summary>
    /// <param name="theta">The base.</param>
    /// <param name="dimensions">d, the elements that rotate.</param>
    /// <param name="tokens">The length that the sequence may reach.</param>
    public float[] InverseFrequencies(double theta, int dimensions, int tokens)
    {
        if (Kind == RopeScalingKind.Dynamic && tokens > OriginalContext)
            theta *= Math.Pow((Factor * tokens / OriginalContext) - (Factor - 1), (double)dimensions / (dimensions - 2));
        var inverse = new float[dimensions / 2];
        for (int j = 0; j < inverse.Length; j++)
        {
            // Rounded to float32 step by step, as the reference implementations do.
            float exponent = (float)(2 * j) / dimensions;
            inverse[j] = Apply(1f / (float)Math.Pow(theta, exponent), j, theta, dimensions, tokens);
        }

        return inverse;
    }

    /// <summary>0.1 m ln(factor) + 1: by how much YaRN sharpens attention.</summary>
    public static double YarnScale(double factor, double multiplier = 1) => factor <= 1 ? 1 : (0.1 * multiplier * Math.Log(factor)) + 1;

    /// <summary>sqrt(1 + ln(factor) / ln(original)): by how much LongRoPE sharpens attention.</summary>
    public static double LongRopeScale(double factor, int originalContext) =>
        factor <= 1 || originalContext <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(originalContext)));

    private float Apply(float frequency, int index, double theta, int dimensions, int tokens)
    {
        switch (Kind)
        {
            case RopeScalingKind.Linear:
                return (float)(frequency / Factor);
            case RopeScalingKind.Llama3:
                double wavelength = 2 * Math.PI / frequency;
                if (wavelength < OriginalContext / HighFactor)
                    return frequency;
                if (wavelength > OriginalContext / LowFactor)
                    return (float)(frequency / Factor);
                double smooth = ((OriginalContext / wavelength) - LowFactor) / (HighFactor - LowFactor);
                return (float)(((1 - smooth) * frequency / Factor) + (smooth * frequency));
            case RopeScalingKind.Yarn:
                double ramp = YarnRamp(index, theta, dimensions);
                return (float)((frequency / Factor * ramp) + (frequency * (1 - ramp)));
            case RopeScalingKind.LongRope:
                return frequency / (LengthClass(tokens) == 1 ? LongFactors : ShortFactors)[index];
            default:
                return frequency;
        }
    }

    /// <summary>0 for frequencies that are kept, 1 for those that are divided, between in the band.</summary>
    private double YarnRamp(int index, double theta, int dimensions)
    {
        double low = Dimension(BetaFast), high = Dimension(BetaSlow);
        if (IsRampTruncated)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, dimensions - 1));
        // A band without width would divide by zero.
        return Math.Clamp((index - low) / (high == low ? 0.001 : high - low), 0, 1);

        double Dimension(double rotations) =>
            dimensions * Math.Log(OriginalContext / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
    }
}
