namespace Portable.Decoding;

/// <summary>How an output is produced.</summary>
public sealed record GenerationOptions
{
    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;

    /// <summary>Most tokens to produce; null goes on until the model ends or the context is full.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Whether the model's end tokens are ordinary tokens.</summary>
    public bool IgnoreEndTokens { get; init; }
}

/// <summary>Why an output ended.</summary>
public enum GenerationEnd
{
    /// <summary>It has not ended.</summary>
    None,

    /// <summary>The model produced an end token.</summary>
    EndToken,

    /// <summary>The most tokens asked for were produced.</summary>
    MaxTokens,

    /// <summary>The context is full.</summary>
    ContextFull,
}
