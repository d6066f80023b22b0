namespace Portable;

/// <summary>What a model needs of a device, known from its files' headers.</summary>
public sealed record ModelRequirements
{
    /// <summary>Operators used.</summary>
    public required IReadOnlySet<Operator> Operators { get; init; }

    /// <summary>Every weight matrix.</summary>
    public required IReadOnlyList<WeightRequirement> Weights { get; init; }

    /// <summary>Head sizes of attention.</summary>
    public required IReadOnlySet<int> HeadSizes { get; init; }

    /// <summary>Optional parts of attention used.</summary>
    public AttentionFeatures Attention { get; init; }

    /// <summary>Both needs together, such as a decoder's and its vision tower's.</summary>
    public ModelRequirements Union(ModelRequirements other) => new()
    {
        Operators = Operators.Union(other.Operators).ToHashSet(),
        Weights = [.. Weights, .. other.Weights],
        HeadSizes = HeadSizes.Union(other.HeadSizes).ToHashSet(),
        Attention = Attention | other.Attention,
    };
}

/// <summary>One weight matrix that a model needs.</summary>
/// <param name="Operator">Which operator reads it: <see cref="Operator.Linear"/> or <see cref="Operator.Embed"/>.</param>
/// <param name="Tensor">Its name in the file.</param>
/// <param name="Format">Its canonical format.</param>
/// <param name="Rows">Outputs N.</param>
/// <param name="Columns">Inputs K.</param>
/// <param name="HasGroupIndex">Whether groups are given per column.</param>
/// <param name="IsExpert">Whether it is one of several experts.</param>
public sealed record WeightRequirement(
    Operator Operator, string Tensor, WeightFormat Format, int Rows, int Columns, bool HasGroupIndex = false, bool IsExpert = false);

/// <summary>Something that a model needs and a device lacks.</summary>
/// <param name="Operator">The operator at fault.</param>
/// <param name="Reason">Why, in one sentence without a final full stop.</param>
public sealed record UnmetRequirement(Operator Operator, string Reason);
