namespace Portable;

/// <summary>The operators of a <see cref="CommandStream"/>: a required set of primitives, then fused ones.</summary>
public enum Operator
{
    /// <summary>Rows of a table by token id.</summary>
    Embed,

    /// <summary>y = x W^T (+ bias).</summary>
    Linear,

    /// <summary>Root-mean-square norm, with an optional residual.</summary>
    RmsNorm,

    /// <summary>Layer norm.</summary>
    LayerNorm,

    /// <summary>Cosines and sines of rotary positions.</summary>
    RopeAngles,

    /// <summary>Rotation of queries or keys.</summary>
    Rope,

    /// <summary>Keys and values into pages.</summary>
    KvWrite,

    /// <summary>Causal attention over pages.</summary>
    PagedAttention,

    /// <summary>Attention inside segments of a packed batch, without a cache.</summary>
    SegmentAttention,

    /// <summary>act(gate) * up.</summary>
    GatedActivation,

    /// <summary>act(x).</summary>
    Activation,

    /// <summary>a + scale * b.</summary>
    Add,

    /// <summary>a * b.</summary>
    Multiply,

    /// <summary>Rows by index.</summary>
    GatherRows,

    /// <summary>Rows to an index.</summary>
    ScatterRows,

    /// <summary>The largest values of each row and where they are.</summary>
    TopK,

    /// <summary>Copies, with a cast where types differ.</summary>
    Copy,

    /// <summary>One value everywhere.</summary>
    Fill,

    /// <summary>A depthwise causal convolution with a state.</summary>
    CausalConvolution,

    /// <summary>The gated delta rule with its states.</summary>
    GatedDelta,

    /// <summary>Fused: norm, q/k/v projection, q/k norm, rope, KV write.</summary>
    AttentionInput,

    /// <summary>Fused: norm, gate/up projection, gated activation.</summary>
    FeedForwardInput,
}
