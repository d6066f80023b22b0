using System.Globalization;

namespace Portable;

/// <summary>A weight format that a device takes for matrix products and embeddings.</summary>
/// <param name="Encoding">The encoding.</param>
/// <param name="GroupSizes">Group sizes offered; empty means any (plain floats have none).</param>
public sealed record WeightSupport(WeightEncoding Encoding, IReadOnlyList<int> GroupSizes);

/// <summary>What a device offers, as data, so that a model can be refused before anything is loaded.</summary>
public sealed record DeviceCapabilities
{
    /// <summary>The type of activations: every operator reads and writes it unless it says otherwise.</summary>
    public required ElementType ActivationType { get; init; }

    /// <summary>
    /// Weight formats that <see cref="Device.LoadWeight"/> takes. Plain matrices may be cast to the device's own plain
    /// type; quantised ones are never changed into another format.
    /// </summary>
    public required IReadOnlyList<WeightSupport> Weights { get; init; }

    /// <summary>Operators offered.</summary>
    public required IReadOnlySet<Operator> Operators { get; init; }

    /// <summary>KV element formats offered, the default first.</summary>
    public required IReadOnlyList<KvFormat> KvFormats { get; init; }

    /// <summary>Tokens per KV page offered, the default first.</summary>
    public required IReadOnlyList<int> PageSizes { get; init; }

    /// <summary>The largest head size of attention, of queries, keys and values.</summary>
    public int MaxHeadSize { get; init; } = int.MaxValue;

    /// <summary>Head sizes must be a multiple of this.</summary>
    public int HeadSizeMultiple { get; init; } = 1;

    /// <summary>Inputs K of a quantised matrix must be a multiple of this.</summary>
    public int ColumnMultiple { get; init; } = 1;

    /// <summary>Optional parts of attention offered.</summary>
    public AttentionFeatures Attention { get; init; }

    /// <summary>Whether streams can capture and replay work.</summary>
    public bool CanCapture { get; init; }

    /// <summary>Whether weights with <see cref="WeightStacking.Experts"/> are taken.</summary>
    public bool ExpertWeights { get; init; }

    /// <summary>Whether weights with a group index per column (act-order) are taken.</summary>
    public bool GroupIndex { get; init; }

    /// <summary>Collective operations offered between devices of this kind, by name; empty for a single device.</summary>
    public IReadOnlyList<string> Collectives { get; init; } = [];

    /// <summary>Everything that a model needs and this device lacks; empty when the model can run.</summary>
    public IReadOnlyList<UnmetRequirement> Check(ModelRequirements model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var unmet = new List<UnmetRequirement>();
        foreach (Operator needed in model.Operators)
        {
            if (!Operators.Contains(needed))
                unmet.Add(new(needed, "the device does not offer the operator"));
        }

        foreach (WeightRequirement weight in model.Weights)
        {
            if (Refuse(weight) is { } reason)
                unmet.Add(new(weight.Operator, reason));
        }

        foreach (int size in model.HeadSizes)
        {
            if (size > MaxHeadSize || size % HeadSizeMultiple != 0)
                unmet.Add(new(Operator.PagedAttention, string.Create(CultureInfo.InvariantCulture,
                    $"head size {size}; the device takes multiples of {HeadSizeMultiple} up to {MaxHeadSize}")));
        }

        AttentionFeatures missing = model.Attention & ~Attention;
        if (missing != AttentionFeatures.None)
            unmet.Add(new(Operator.PagedAttention, $"attention with {missing}; the device offers {Attention}"));
        return unmet;
    }

    private string? Refuse(WeightRequirement weight)
    {
        WeightFormat format = weight.Format;
        WeightSupport? support = Weights.FirstOrDefault(w => w.Encoding == format.Encoding);
        if (support is null || (support.GroupSizes.Count > 0 && !support.GroupSizes.Contains(format.GroupSize)))
            return $"weights of {weight.Tensor} are {format}; the device takes {Offered()}";
        if (!format.IsPlain && weight.Columns % ColumnMultiple != 0)
            return $"{weight.Tensor} has {weight.Columns} inputs; the device takes multiples of {ColumnMultiple}";
        if (weight.HasGroupIndex && !GroupIndex)
            return $"{weight.Tensor} has a group index per input (act-order); the device takes neighbouring groups only";
        if (weight.IsExpert && !ExpertWeights)
            return $"{weight.Tensor} belongs to an expert; the device takes no expert groups";
        return null;
    }

    private string Offered() => string.Join(", ", Weights.Select(w => w.GroupSizes.Count == 0
        ? w.Encoding.ToString()
        : $"{w.Encoding} with groups of {string.Join('/', w.GroupSizes)}"));
}
