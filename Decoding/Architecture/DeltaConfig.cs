namespace Portable.Decoding.Architecture;

/// <summary>
/// Layers that keep a state of fixed size instead of keys and values: q, k and v are mixed over a few tokens by a convolution, then the gated
/// delta rule reads and writes the state. Source: Qwen3-Next (2025), Gated DeltaNet (Yang et al. 2024).
/// </summary>
internal sealed record DeltaConfig
{
    /// <summary>For each layer, whether it is of this kind; the others have attention.</summary>
    public required IReadOnlyList<bool> Layers { get; init; }

    /// <summary>Heads of queries and keys.</summary>
    public required int KeyHeads { get; init; }

    /// <summary>Heads of values, a multiple.</summary>
    public required int ValueHeads { get; init; }

    /// <summary>Elements of a query or key head.</summary>
    public required int KeySize { get; init; }

    /// <summary>Elements of a value head.</summary>
    public required int ValueSize { get; init; }

    /// <summary>Tokens that the convolution sees.</summary>
    public required int Taps { get; init; }

    /// <summary>Whether value head h reads key head h % KeyHeads; else h / (ValueHeads / KeyHeads).</summary>
    public bool AreKeyHeadsTiled { get; init; }

    /// <summary>Columns of the queries, and of the keys.</summary>
    public int KeyColumns => KeyHeads * KeySize;

    /// <summary>Columns of the values, and of the gate of the output.</summary>
    public int ValueColumns => ValueHeads * ValueSize;

    /// <summary>Columns that the convolution mixes: q, k, v.</summary>
    public int MixedColumns => (2 * KeyColumns) + ValueColumns;

    /// <summary>Columns of the first projection: q, k, v and the gate of the output.</summary>
    public int InputColumns => MixedColumns + ValueColumns;

    /// <summary>Elements of the delta rule's states of a layer.</summary>
    public int StateSize => ValueHeads * KeySize * ValueSize;

    /// <summary>Elements of the convolution's state of a layer.</summary>
    public int HistorySize => (Taps - 1) * MixedColumns;

    /// <summary>How many layers of this kind come before one.</summary>
    public int IndexOf(int layer) => Layers.Take(layer).Count(isDelta => isDelta);

    /// <summary>What the numbers break, as text; null when they are possible.</summary>
    public string? Fault() =>
        ValueHeads % KeyHeads != 0 ? $"{ValueHeads} value heads cannot share {KeyHeads} key heads evenly"
        : Taps is < 2 or > 64 ? $"a convolution of {Taps} taps; 2 to 64 are possible"
        : (2L * KeyHeads * KeySize) + (2L * ValueHeads * ValueSize) > ConfigSection.MaxDimension || (long)ValueHeads * KeySize * ValueSize > ConfigSection.MaxDimension
            ? $"{KeyHeads} key heads of {KeySize} and {ValueHeads} value heads of {ValueSize} are not possible"
        : null;
}

/// <summary>The names of such a layer's tensors, without ".weight" unless said; {0} is the layer.</summary>
internal sealed record DeltaTensors
{
    /// <summary>q, k, v and the output's gate in one tensor, for each key head its part of each; null where they are apart.</summary>
    public string? FusedInput { get; init; }

    /// <summary>All q, all k, all v.</summary>
    public required string Qkv { get; init; }

    /// <summary>The gate of the output.</summary>
    public required string Gate { get; init; }

    /// <summary>beta and decay in one tensor, for each key head its part of each; null where they are apart.</summary>
    public string? FusedGates { get; init; }

    public required string Beta { get; init; }

    public required string Decay { get; init; }

    /// <summary>[channels, taps], the whole name.</summary>
    public required string Taps { get; init; }

    /// <summary>The whole name of the rates.</summary>
    public required string Rates { get; init; }

    /// <summary>Whether the rates are stored as logarithms of what is subtracted.</summary>
    public bool AreRatesLogarithms { get; init; }

    /// <summary>The whole name of what is added to the decay.</summary>
    public required string Biases { get; init; }

    /// <summary>The norm of a value head after the rule; never a difference from 1.</summary>
    public required string Norm { get; init; }

    public required string Output { get; init; }

    public static DeltaTensors HuggingFace { get; } = new()
    {
        FusedInput = "layers.{0}.linear_attn.in_proj_qkvz", Qkv = "layers.{0}.linear_attn.in_proj_qkv", Gate = "layers.{0}.linear_attn.in_proj_z",
        FusedGates = "layers.{0}.linear_attn.in_proj_ba", Beta = "layers.{0}.linear_attn.in_proj_b", Decay = "layers.{0}.linear_attn.in_proj_a",
        Taps = "layers.{0}.linear_attn.conv1d.weight", Rates = "layers.{0}.linear_attn.A_log", AreRatesLogarithms = true,
        Biases = "layers.{0}.linear_attn.dt_bias", Norm = "layers.{0}.linear_attn.norm", Output = "layers.{0}.linear_attn.out_proj",
    };

    public static DeltaTensors Gguf { get; } = new()
    {
        Qkv = "blk.{0}.attn_qkv", Gate = "blk.{0}.attn_gate", FusedGates = "blk.{0}.ssm_ba", Beta = "blk.{0}.ssm_beta", Decay = "blk.{0}.ssm_alpha",
        Taps = "blk.{0}.ssm_conv1d.weight", Rates = "blk.{0}.ssm_a", Biases = "blk.{0}.ssm_dt.bias", Norm = "blk.{0}.ssm_norm", Output = "blk.{0}.ssm_out",
    };

    /// <summary>These names below a prefix.</summary>
    public DeltaTensors Below(string prefix) => this with
    {
        FusedInput = FusedInput is null ? null : prefix + FusedInput, Qkv = prefix + Qkv, Gate = prefix + Gate,
        FusedGates = FusedGates is null ? null : prefix + FusedGates, Beta = prefix + Beta, Decay = prefix + Decay, Taps = prefix + Taps,
        Rates = prefix + Rates, Biases = prefix + Biases, Norm = prefix + Norm, Output = prefix + Output,
    };
}
