namespace Portable.Backends.Cpu;

/// <summary>Sizes and form of attention as kernels see them.</summary>
internal readonly unsafe struct AttentionForm
{
    /// <summary>Takes the parameters, whose sinks must be live CPU memory.</summary>
    public AttentionForm(in AttentionParameters attention)
    {
        KeyHeads = attention.KeyHeads;
        GroupHeads = attention.QueryHeads / attention.KeyHeads;
        HeadSize = attention.HeadSize;
        ValueSize = attention.ValueHeadSize;
        Window = attention.Window;
        Scale = attention.Scale;
        SoftCap = attention.SoftCap;
        Sinks = attention.Sinks is { } sinks ? CpuStream.Floats(sinks) : null;
    }

    /// <summary>Heads of keys and values.</summary>
    public readonly int KeyHeads;

    /// <summary>Query heads that share a key head.</summary>
    public readonly int GroupHeads;

    /// <summary>Elements of a query or key head.</summary>
    public readonly int HeadSize;

    /// <summary>Elements of a value head.</summary>
    public readonly int ValueSize;

    /// <summary>Keys seen before and at the query; 0 for all.</summary>
    public readonly int Window;

    /// <summary>Multiplies scores.</summary>
    public readonly float Scale;

    /// <summary>Cap of scaled scores; 0 for none.</summary>
    public readonly float SoftCap;

    /// <summary>A sink logit per query head, or null.</summary>
    public readonly float* Sinks;

    /// <summary>The first key that a query at a position sees.</summary>
    public int FirstKey(int position) => Window > 0 ? Math.Max(0, position - Window + 1) : 0;

    /// <summary>The sink logit of a query head; negative infinity without sinks.</summary>
    public float Sink(int queryHead) => Sinks is null ? float.NegativeInfinity : Sinks[queryHead];
}
