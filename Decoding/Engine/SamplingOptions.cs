namespace Portable.Decoding;

/// <summary>
/// How the next token is chosen. Applied in this order: logit bias, penalties, temperature, min-p, top-k, top-p; then
/// one draw. Temperature 0 takes the largest logit after bias and penalties.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>The options of a call that names none: greedy.</summary>
    public static SamplingOptions Greedy { get; } = new();

    /// <summary>Divides the logits; 0 (the default) is greedy.</summary>
    public float Temperature { get; init; }

    /// <summary>Keeps the k most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the most likely tokens whose probabilities reach this sum; 1 keeps all. Holtzman et al. 2020.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keeps tokens at least this times as likely as the most likely one; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens seen in prompt or output; 1 is none. Keskar et al. 2019.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted once from the logits of tokens seen in the output.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from the logits of tokens per time seen in the output.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of single tokens.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Makes draws repeatable; null draws a seed.</summary>
    public long? Seed { get; init; }

    /// <summary>How many alternatives to report with each token, by log-probability of the model itself; null reports none, 0 only the token's own.</summary>
    public int? TopLogProbabilities { get; init; }

    /// <summary>Whether the largest logit is taken unchanged, so that the device can find it.</summary>
    internal bool IsPlainGreedy => Temperature == 0 && RepetitionPenalty == 1 && PresencePenalty == 0 && FrequencyPenalty == 0
        && LogitBias is not { Count: > 0 } && TopLogProbabilities is null;

    /// <summary>Throws <see cref="InvalidInputException"/> for values out of range.</summary>
    public void Validate(int vocabularySize)
    {
        Check(Temperature is >= 0 and <= 100, nameof(Temperature), "0 to 100", Temperature);
        Check(TopK >= 0, nameof(TopK), "0 or more", TopK);
        Check(TopP is > 0 and <= 1, nameof(TopP), "above 0, at most 1", TopP);
        Check(MinP is >= 0 and <= 1, nameof(MinP), "0 to 1", MinP);
        Check(RepetitionPenalty is > 0 and <= 100, nameof(RepetitionPenalty), "above 0, at most 100", RepetitionPenalty);
        Check(Math.Abs(PresencePenalty) <= 100, nameof(PresencePenalty), "-100 to 100", PresencePenalty);
        Check(Math.Abs(FrequencyPenalty) <= 100, nameof(FrequencyPenalty), "-100 to 100", FrequencyPenalty);
        Check(TopLogProbabilities is null or (>= 0 and <= 64), nameof(TopLogProbabilities), "0 to 64", TopLogProbabilities ?? 0);
        foreach ((int token, float bias) in LogitBias ?? new Dictionary<int, float>())
        {
            if (token < 0 || token >= vocabularySize || !float.IsFinite(bias))
                throw new InvalidInputException("option LogitBias", $"token {token} with bias {bias}; expected a finite bias for a token below {vocabularySize}");
        }

        static void Check(bool isInRange, string option, string expected, float found)
        {
            if (!isInRange)
                throw new InvalidInputException($"option {option}", $"expected {expected}, found {found}");
        }
    }
}
