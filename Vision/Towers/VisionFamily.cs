using Portable.Vision.Processing;

namespace Portable.Vision.Towers;

/// <summary>
/// One row per family of towers: how config.json names its fields and in what the tower differs. A family that the
/// tower can express is a new row.
/// </summary>
internal sealed record VisionFamily
{
    /// <summary>The model_type of config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary>The model_type of vision_config that is meant, where model_type alone does not say it; null for any.</summary>
    public string? TowerType { get; init; }

    /// <summary>How videos are told; none where the family does not know them, or it is not built yet.</summary>
    public VideoKind Video { get; init; }

    /// <summary>How the tower's tokens stand in the prompt.</summary>
    public ImageLayoutKind Layout { get; init; }

    /// <summary>The token that chat templates write for an image, as a field of config.json; null for the image token itself.</summary>
    public string? TemplateTokenField { get; init; }

    /// <summary>The field with the number of heads.</summary>
    public string HeadsField { get; init; } = "num_attention_heads";

    /// <summary>The field with the number of blocks.</summary>
    public string LayersField { get; init; } = "num_hidden_layers";

    /// <summary>The field with the epsilon of norms; null where it is 1e-6.</summary>
    public string? EpsilonField { get; init; } = "layer_norm_eps";

    /// <summary>The epsilon of norms where the file gives none.</summary>
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>The connector.</summary>
    public ConnectorKind Connector { get; init; }

    /// <summary>Whether q, k, v, outputs and MLPs have biases.</summary>
    public bool HasBiases { get; init; } = true;

    /// <summary>Whether a learned row stands before the patches.</summary>
    public bool HasClassToken { get; init; }

    /// <summary>Where a norm of the embedded patches stands.</summary>
    public EmbeddingNorm EmbeddingNorm { get; init; }

    /// <summary>Whether branches have learned scales.</summary>
    public bool HasLayerScale { get; init; }

    /// <summary>Whether the last block's output is normed before the connector.</summary>
    public bool HasFinalNorm { get; init; }

    /// <summary>How the table of positions is read, where there is one.</summary>
    public PositionKind Positions { get; init; }

    /// <summary>The rope.</summary>
    public TowerRope Rope { get; init; }

    /// <summary>Whether rows of tokens end with a learned one.</summary>
    public bool HasNewline { get; init; }

    /// <summary>The field of vision_config with the tower's width.</summary>
    public string WidthField { get; init; } = "hidden_size";

    /// <summary>The field with the width of the merger's output.</summary>
    public string OutputField { get; init; } = "out_hidden_size";

    /// <summary>The field with the MLP's width.</summary>
    public string FeedForwardField { get; init; } = "intermediate_size";

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
            ModelType = "qwen2_vl", Video = VideoKind.Counted, WidthField = "embed_dim", OutputField = "hidden_size", HasMlpRatio = true, HeadsField = "num_heads", LayersField = "depth", EpsilonField = null, Rope = TowerRope.Axial,
            Activation = "quick_gelu", Tensors = VisionTensors.Qwen2,
        },
        new()
        {
            ModelType = "qwen2_5_vl", Video = VideoKind.Spaced, HeadsField = "num_heads", LayersField = "depth", EpsilonField = null, Rope = TowerRope.Axial, Norm = NormKind.RootMeanSquare, IsGated = true, Activation = "silu", HasWindows = true,
            Tensors = VisionTensors.Qwen25,
        },
        Qwen3 with { ModelType = "qwen3_vl" },
        Qwen3 with { ModelType = "qwen3_vl_moe" },
        Qwen3 with { ModelType = "qwen3_5", HasDeepstack = false },
        new()
        {
            ModelType = "glm4v", HeadsField = "num_heads", LayersField = "depth", EpsilonField = "rms_norm_eps", Norm = NormKind.RootMeanSquare, IsGated = true,
            FeedForwardField = "out_hidden_size", Activation = "silu", PatchBias = true, HasBiases = false, EmbeddingNorm = EmbeddingNorm.BeforePositions,
            HasFinalNorm = true, HasPositionTable = true, Positions = PositionKind.Bicubic, Rope = TowerRope.Axial, Connector = ConnectorKind.GatedMerger,
            Tensors = VisionTensors.Glm4v,
        },
        new()
        {
            ModelType = "internvl", Layout = ImageLayoutKind.InternVl, Activation = "gelu", PatchBias = true, HasClassToken = true, HasLayerScale = true,
            HasPositionTable = true, Positions = PositionKind.Fixed, Connector = ConnectorKind.NormedConcat, Tensors = VisionTensors.InternVl,
        },
        Idefics with { ModelType = "smolvlm" },
        Idefics with { ModelType = "idefics3" },
        new()
        {
            ModelType = "gemma3", Layout = ImageLayoutKind.Gemma3, TemplateTokenField = "boi_token_index", Activation = "gelu_pytorch_tanh", PatchBias = true,
            HasFinalNorm = true, HasPositionTable = true, Positions = PositionKind.Fixed, Connector = ConnectorKind.Pooled,
            Tensors = VisionTensors.Siglip with { Merger = new("multi_modal_projector.mm_soft_emb_norm", "", "") },
        },
        new()
        {
            // Features are the last block's output, before the tower's own last norm.
            ModelType = "llava_onevision", Layout = ImageLayoutKind.Llava, Activation = "gelu_pytorch_tanh", PatchBias = true, HasPositionTable = true,
            Positions = PositionKind.Fixed, Connector = ConnectorKind.TwoLinear, HasNewline = true, Tensors = VisionTensors.Siglip,
        },
        new()
        {
            ModelType = "llava_next", TowerType = "clip_vision_model", Layout = ImageLayoutKind.Llava, Activation = "quick_gelu", HasClassToken = true,
            EmbeddingNorm = EmbeddingNorm.AfterPositions, HasPositionTable = true, Positions = PositionKind.Fixed, Connector = ConnectorKind.TwoLinear,
            HasNewline = true, Tensors = VisionTensors.Siglip,
        },
        Pixtral with { ModelType = "llava", Connector = ConnectorKind.TwoLinear },
        Pixtral with { ModelType = "mistral3", Connector = ConnectorKind.MergedTwoLinear },
    ];

    private static VisionFamily Qwen3 => new()
    {
        ModelType = "", Video = VideoKind.Stamped, HeadsField = "num_heads", LayersField = "depth", EpsilonField = null, Rope = TowerRope.Axial, PatchSize = 16,
        Activation = "gelu_pytorch_tanh", PatchBias = true, HasPositionTable = true, HasDeepstack = true, Tensors = VisionTensors.Qwen3,
    };

    private static VisionFamily Idefics => new()
    {
        ModelType = "", Layout = ImageLayoutKind.Idefics, Activation = "gelu_pytorch_tanh", PatchBias = true, HasFinalNorm = true, HasPositionTable = true,
        Positions = PositionKind.Fixed, Connector = ConnectorKind.Linear,
        Tensors = VisionTensors.Siglip with { Merger = new("", "connector.modality_projection.proj", "") },
    };

    private static VisionFamily Pixtral => new()
    {
        ModelType = "", TowerType = "pixtral", Layout = ImageLayoutKind.Pixtral, Activation = "gelu", IsGated = true, Norm = NormKind.RootMeanSquare,
        EpsilonField = null, Epsilon = 1e-5, HasBiases = false, EmbeddingNorm = EmbeddingNorm.AfterPositions, Rope = TowerRope.Pixtral, Tensors = VisionTensors.Pixtral,
    };

    /// <summary>The row of a model_type; null when unknown.</summary>
    public static VisionFamily? OfModelType(string modelType) => All.FirstOrDefault(f => f.ModelType == modelType);
}
