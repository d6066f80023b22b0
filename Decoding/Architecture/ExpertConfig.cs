namespace Portable.Decoding.Architecture;

/// <summary>How a mixture of experts chooses and weighs its experts, as data.</summary>
internal sealed record ExpertConfig
{
    /// <summary>Number of experts, at least two.</summary>
    public required int Count { get; init; }

    /// <summary>Experts that each token goes through.</summary>
    public required int PerToken { get; init; }

    /// <summary>Width of one expert.</summary>
    public required int FeedForwardSize { get; init; }

    /// <summary>For each layer, whether it has experts; the others have one feed-forward block.</summary>
    public required IReadOnlyList<bool> Layers { get; init; }

    /// <summary>What makes scores of the router's logits.</summary>
    public RouterScore Score { get; init; }

    /// <summary>Whether the scores of the chosen experts are divided by their sum.</summary>
    public bool IsRenormalized { get; init; } = true;

    /// <summary>Multiplies the weights of the chosen experts.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Whether a bias is added to the scores for the choice, but not for the weights.</summary>
    public bool HasBias { get; init; }

    /// <summary>Groups of neighbouring experts, of which only some are chosen from; 1 for none.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups that each token may choose from: those with the largest sum of their two best scores.</summary>
    public int GroupsPerToken { get; init; } = 1;

    /// <summary>Width of the expert that every token goes through; 0 when there is none.</summary>
    public int SharedSize { get; init; }

    /// <summary>Whether the expert that every token goes through is multiplied by the sigmoid of a gate of its own.</summary>
    public bool HasSharedGate { get; init; }

    /// <summary>Whether the router and the experts' matrices have biases.</summary>
    public bool HasBiases { get; init; }

    /// <summary>What the numbers break, as text; null when they are possible.</summary>
    public string? Fault() =>
        Count < 2 ? $"{Count} experts are no mixture"
        : PerToken > Count ? $"{PerToken} of {Count} experts cannot be chosen"
        : Count % Groups != 0 || GroupsPerToken > Groups || (Groups > 1 && Count / Groups < 2) ? $"{Count} experts do not divide into {Groups} groups, {GroupsPerToken} of them chosen"
        : PerToken > (long)GroupsPerToken * (Count / Groups) ? $"{PerToken} experts cannot be chosen from {GroupsPerToken} groups of {Count / Groups}"
        : (long)Count * FeedForwardSize > int.MaxValue ? $"{Count} experts of width {FeedForwardSize} are more than one matrix can hold"
        : null;
}

/// <summary>What makes scores of a router's logits.</summary>
internal enum RouterScore
{
    /// <summary>Softmax over all experts.</summary>
    Softmax,

    /// <summary>Each by itself, by the logistic function.</summary>
    Sigmoid,
}
