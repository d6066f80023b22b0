namespace Portable.Vision.Towers;

/// <summary>
/// One row per family of towers: how config.json names its fields and in what the tower differs. A family that the
/// tower can express is a new row.
/// </summary>
internal sealed record VisionFamily
{
    /// <summary>The model_type of config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary>The field of vision_config with the tower's width.</summary>
    public string WidthField { get; init; } = "hidden_size";

    /// <summary>The field with the width of the merger's output.</summary>
    public string OutputField { get; init; } = "out_hidden_size";

    /// <summary>Whether the MLP's width is the tower's times mlp_ratio, instead of intermediate_size.</summary>
    public bool HasMlpRatio { get; init; }

    /// <summary>The patch size where the file gives none.</summary>
    public int PatchSize { get; init; } = 14;

    /// <summary>The norm of blocks and merger.</summary>
    public NormKind Norm { get; init; }

    /// <summary>Whether the MLP is gated.</summary>
    public bool IsGated { get; init; }

    /// <summary>The value of hidden_act where the file gives none.</summary>
    public required string Activation { get; init; }

    /// <summary>Whether the patch embedding has a bias.</summary>
    public bool PatchBias { get; init; }

    /// <summary>Whether blocks attend inside windows (window_size, fullatt_block_indexes).</summary>
    public bool HasWindows { get; init; }

    /// <summary>Whether there is a learned table of positions (num_position_embeddings).</summary>
    public bool HasPositionTable { get; init; }

    /// <summary>Whether blocks are tapped for the decoder's first layers (deepstack_visual_indexes).</summary>
    public bool HasDeepstack { get; init; }

    /// <summary>The names of its tensors.</summary>
    public required VisionTensors Tensors { get; init; }

    /// <summary>The families that are supported.</summary>
    public static IReadOnlyList<VisionFamily> All { get; } =
    [
        new()
        {
            ModelType = "qwen2_vl", WidthField = "embed_dim", OutputField = "hidden_size", HasMlpRatio = true,
            Activation = "quick_gelu", Tensors = VisionTensors.Qwen2,
        },
        new()
        {
            ModelType = "qwen2_5_vl", Norm = NormKind.RootMeanSquare, IsGated = true, Activation = "silu", HasWindows = true,
            Tensors = VisionTensors.Qwen25,
        },
        new()
        {
            ModelType = "qwen3_vl", PatchSize = 16, Activation = "gelu_pytorch_tanh", PatchBias = true, HasPositionTable = true,
            HasDeepstack = true, Tensors = VisionTensors.Qwen3,
        },
    ];

    /// <summary>The row of a model_type; null when unknown.</summary>
    public static VisionFamily? OfModelType(string modelType) => All.FirstOrDefault(f => f.ModelType == modelType);
}
