namespace Portable.Decoding.Architecture;

/// <summary>
/// One row per decoder family: by which names files call it and in what it differs from Llama. A new family that the
/// block can express is a new row. What both a row and a file say, the file decides.
/// </summary>
internal sealed record DecoderFamily(string Name)
{
    /// <summary>model_type values of config.json, of the text part of a vision-language model too.</summary>
    public required IReadOnlyList<string> ModelTypes { get; init; }

    /// <summary>general.architecture values of GGUF files.</summary>
    public required IReadOnlyList<string> GgufArchitectures { get; init; }

    /// <summary>The names of its tensors as transformers writes them.</summary>
    public DecoderTensors Tensors { get; init; } = DecoderTensors.HuggingFace;

    /// <summary>The names of its tensors in GGUF files.</summary>
    public DecoderTensors GgufTensors { get; init; } = DecoderTensors.Gguf;

    /// <summary>The field that says whether projections have biases.</summary>
    public string BiasField { get; init; } = "attention_bias";

    /// <summary>Whether q, k and v have biases, when the configuration has no such field.</summary>
    public bool QkvBias { get; init; }

    /// <summary>Whether attention_bias gives the output projection a bias too.</summary>
    public bool AttentionBiasCoversOutput { get; init; }

    /// <summary>How queries and keys are normed.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>The field that can switch the norms of queries and keys off; null when they are always there.</summary>
    public string? QueryKeyNormField { get; init; }

    /// <summary>Whether layers have experts, and how they are chosen when the file does not say; null for none.</summary>
    public ExpertRules? Experts { get; init; }

    /// <summary>Whether heads divide the width even where head_dim says otherwise, which then counts for the rope alone.</summary>
    public bool AreHeadsOfWidth { get; init; }

    /// <summary>Whether the tokens of an image see the whole image.</summary>
    public bool SeesImagesWhole { get; init; }

    /// <summary>Whether query heads have sinks.</summary>
    public bool HasSinks { get; init; }

    /// <summary>Whether most layers keep a recurrent state instead of keys and values; every fourth has attention, when the file does not say.</summary>
    public bool IsHybrid { get; init; }

    /// <summary>Whether its GGUF files put the value heads of such layers into an order in which key heads are tiled.</summary>
    public bool AreGgufKeyHeadsTiled { get; init; }

    /// <summary>Whether what attention gives is gated.</summary>
    public bool HasOutputGate { get; init; }

    /// <summary>Whether attention goes through latent vectors.</summary>
    public bool IsLatent { get; init; }

    /// <summary>Where the norms of a block stand.</summary>
    public NormPlacement Norms { get; init; }

    /// <summary>Whether its safetensors hold norms as differences from 1 (its GGUF files hold the sum).</summary>
    public bool IsNormOffset { get; init; }

    /// <summary>The gate's activation, when the file does not say.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Silu;

    /// <summary>Whether the embedding is multiplied by sqrt(hidden size).</summary>
    public bool IsEmbeddingScaled { get; init; }

    /// <summary>Whether sliding_window counts only with use_sliding_window, from max_window_layers on.</summary>
    public bool WindowIsOptIn { get; init; }

    /// <summary>Every how many layers one has no window, when the file does not say; 0 means none is without.</summary>
    public int WindowPattern { get; init; }

    /// <summary>The base of the rope of layers with a window, when the file does not say; 0 means that of all layers.</summary>
    public double LocalTheta { get; init; }

    /// <summary>Every how many layers one has no rope, when the file does not say; 0 means none is without.</summary>
    public int NoRopeInterval { get; init; }

    /// <summary>How the rope of its safetensors pairs elements.</summary>
    public RopeStyle Rope { get; init; } = RopeStyle.Halves;

    /// <summary>How the rope of its GGUF files pairs elements: q and k rows may be reordered for Pairs.</summary>
    public RopeStyle GgufRope { get; init; } = RopeStyle.Halves;

    /// <summary>
    /// The number of layers of the one size whose attention is scaled by 1 / sqrt(hidden / query heads) although its heads
    /// have another size; GGUF files do not say. 0 means that there is none.
    /// </summary>
    public int GgufHiddenScaledLayers { get; init; }

    /// <summary>How the sections of a multi-axis rope are laid out.</summary>
    public RopeSectionOrder SectionOrder { get; init; }

    /// <summary>The families that are supported.</summary>
    public static IReadOnlyList<DecoderFamily> All { get; } =
    [
        new("llama")
        {
            ModelTypes = ["llama"], GgufArchitectures = ["llama"], AttentionBiasCoversOutput = true, GgufRope = RopeStyle.Pairs,
            Experts = new() { IsOptional = true },
        },
        new("mistral") { ModelTypes = ["mistral"], GgufArchitectures = [] },
        new("ministral3") { ModelTypes = ["ministral3"], GgufArchitectures = ["mistral3"], GgufRope = RopeStyle.Pairs },
        new("qwen2")
        {
            ModelTypes = ["qwen2", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"], GgufArchitectures = ["qwen2", "qwen2vl"],
            QkvBias = true, WindowIsOptIn = true,
        },
        new("qwen3")
        {
            ModelTypes = ["qwen3", "qwen3_vl", "qwen3_vl_text"], GgufArchitectures = ["qwen3", "qwen3vl"],
            QueryKeyNorm = QueryKeyNorm.Heads, WindowIsOptIn = true, AttentionBiasCoversOutput = true, SectionOrder = RopeSectionOrder.Interleaved,
        },
        new("qwen3_moe")
        {
            ModelTypes = ["qwen3_moe"], GgufArchitectures = ["qwen3moe"],
            QueryKeyNorm = QueryKeyNorm.Heads, WindowIsOptIn = true, AttentionBiasCoversOutput = true, Experts = new(),
        },
        new("qwen3_vl_moe")
        {
            ModelTypes = ["qwen3_vl_moe", "qwen3_vl_moe_text"], GgufArchitectures = ["qwen3vlmoe"], SectionOrder = RopeSectionOrder.Interleaved,
            QueryKeyNorm = QueryKeyNorm.Heads, WindowIsOptIn = true, AttentionBiasCoversOutput = true, Experts = new(),
        },
        new("qwen3_next")
        {
            ModelTypes = ["qwen3_next"], GgufArchitectures = ["qwen3next"], QueryKeyNorm = QueryKeyNorm.Heads, IsNormOffset = true,
            IsHybrid = true, HasOutputGate = true, Experts = new() { HasSharedGate = true }, GgufTensors = Hybrid,
            Tensors = DecoderTensors.HuggingFace with
            {
                Delta = DeltaTensors.HuggingFace, SharedGate = "layers.{0}.mlp.shared_expert.gate_proj", SharedUp = "layers.{0}.mlp.shared_expert.up_proj",
                SharedDown = "layers.{0}.mlp.shared_expert.down_proj", SharedOutputGate = "layers.{0}.mlp.shared_expert_gate",
            },
        },
        new("qwen3_5")
        {
            ModelTypes = ["qwen3_5", "qwen3_5_text"], GgufArchitectures = ["qwen35"], QueryKeyNorm = QueryKeyNorm.Heads, IsNormOffset = true,
            IsHybrid = true, AreGgufKeyHeadsTiled = true, HasOutputGate = true, SectionOrder = RopeSectionOrder.Interleaved, GgufTensors = Hybrid,
            Tensors = DecoderTensors.HuggingFace with { Delta = DeltaTensors.HuggingFace },
        },
        new("deepseek_v3")
        {
            ModelTypes = ["deepseek_v3"], GgufArchitectures = ["deepseek2"], IsLatent = true, Rope = RopeStyle.Pairs, GgufRope = RopeStyle.Pairs,
            Experts = new() { Score = RouterScore.Sigmoid, HasBias = true },
        },
        new("gpt_oss")
        {
            // No GGUF of it is at hand to test with.
            ModelTypes = ["gpt_oss"], GgufArchitectures = [], HasSinks = true, AttentionBiasCoversOutput = true, Activation = ActivationKind.ClampedSwiglu,
            Experts = new() { HasBiases = true, AreTransposed = true, AreInterleaved = true },
            Tensors = DecoderTensors.HuggingFace with
            {
                Router = "layers.{0}.mlp.router", Sinks = "layers.{0}.self_attn.sinks",
                ExpertGateUpBias = "layers.{0}.mlp.experts.gate_up_proj_bias", ExpertDownBias = "layers.{0}.mlp.experts.down_proj_bias",
            },
        },
        new("mixtral")
        {
            ModelTypes = ["mixtral"], GgufArchitectures = [], Experts = new(), Tensors = SparseBlocks,
        },
        new("minimax_m2")
        {
            ModelTypes = ["minimax_m2"], GgufArchitectures = ["minimax-m2"], Tensors = SparseBlocks,
            QueryKeyNorm = QueryKeyNorm.Row, QueryKeyNormField = "use_qk_norm", Experts = new() { Score = RouterScore.Sigmoid, HasBias = true },
        },
        new("phi3") { ModelTypes = ["phi3"], GgufArchitectures = ["phi3"] },
        new("gemma2")
        {
            ModelTypes = ["gemma2"], GgufArchitectures = ["gemma2"], Tensors = Gemma, AttentionBiasCoversOutput = true,
            Norms = NormPlacement.Both, IsNormOffset = true, Activation = ActivationKind.GeluTanh, IsEmbeddingScaled = true,
            WindowPattern = 2, GgufHiddenScaledLayers = 46,
        },
        new("gemma3")
        {
            ModelTypes = ["gemma3_text", "gemma3"], GgufArchitectures = ["gemma3"], Tensors = Gemma, SeesImagesWhole = true, AttentionBiasCoversOutput = true,
            QueryKeyNorm = QueryKeyNorm.Heads, Norms = NormPlacement.Both, IsNormOffset = true, Activation = ActivationKind.GeluTanh,
            IsEmbeddingScaled = true, WindowPattern = 6, LocalTheta = 10000, GgufHiddenScaledLayers = 62,
        },
        Glm4,
        Glm4 with { Name = "glm4v", ModelTypes = ["glm4v_text"], GgufArchitectures = [], AreHeadsOfWidth = true },
        new("glm4_moe")
        {
            ModelTypes = ["glm4_moe"], GgufArchitectures = ["glm4moe"], QueryKeyNorm = QueryKeyNorm.Heads, QueryKeyNormField = "use_qk_norm",
            Experts = new() { Score = RouterScore.Sigmoid, HasBias = true },
            GgufTensors = DecoderTensors.Gguf with { FeedForwardNorm = "blk.{0}.post_attention_norm" },
        },
        new("internlm2")
        {
            ModelTypes = ["internlm2"], GgufArchitectures = ["internlm2"], GgufRope = RopeStyle.Pairs,
            BiasField = "bias", AttentionBiasCoversOutput = true,
            Tensors = DecoderTensors.HuggingFace with
            {
                Embedding = "tok_embeddings", Head = "output", AttentionNorm = "layers.{0}.attention_norm",
                FusedQkv = "layers.{0}.attention.wqkv", IsQkvGrouped = true, Output = "layers.{0}.attention.wo",
                FeedForwardNorm = "layers.{0}.ffn_norm",
                Gate = "layers.{0}.feed_forward.w1", Up = "layers.{0}.feed_forward.w3", FusedGateUp = null, Down = "layers.{0}.feed_forward.w2",
            },
        },
        new("olmo2")
        {
            ModelTypes = ["olmo2"], GgufArchitectures = ["olmo2"], AttentionBiasCoversOutput = true,
            QueryKeyNorm = QueryKeyNorm.Row, Norms = NormPlacement.After,
        },
        new("granite")
        {
            ModelTypes = ["granite"], GgufArchitectures = ["granite"], AttentionBiasCoversOutput = true, GgufRope = RopeStyle.Pairs,
        },
        new("smollm3")
        {
            ModelTypes = ["smollm3"], GgufArchitectures = ["smollm3"], AttentionBiasCoversOutput = true, WindowIsOptIn = true,
            NoRopeInterval = 4, GgufRope = RopeStyle.Pairs,
        },
    ];

    private static DecoderTensors SparseBlocks => DecoderTensors.HuggingFace with
    {
        Router = "layers.{0}.block_sparse_moe.gate", RouterBias = "layers.{0}.block_sparse_moe.e_score_correction_bias",
        ExpertGate = "layers.{0}.block_sparse_moe.experts.{1}.w1", ExpertUp = "layers.{0}.block_sparse_moe.experts.{1}.w3",
        ExpertDown = "layers.{0}.block_sparse_moe.experts.{1}.w2",
    };

    private static DecoderTensors Hybrid => DecoderTensors.Gguf with
    {
        FusedQkv = null, FeedForwardNorm = "blk.{0}.post_attention_norm", Delta = DeltaTensors.Gguf,
    };

    private static DecoderFamily Glm4 => new("glm4")
    {
        ModelTypes = ["glm4"], GgufArchitectures = ["glm4"], Norms = NormPlacement.Both, Rope = RopeStyle.Pairs, GgufRope = RopeStyle.Pairs,
        Tensors = DecoderTensors.HuggingFace with
        {
            AttentionPostNorm = "layers.{0}.post_self_attn_layernorm", FeedForwardPostNorm = "layers.{0}.post_mlp_layernorm",
        },
    };

    // A property: rows of All read it while the type is being initialised.
    private static DecoderTensors Gemma => DecoderTensors.HuggingFace with { FeedForwardNorm = "layers.{0}.pre_feedforward_layernorm" };

    /// <summary>The row of a model_type; null when unknown.</summary>
    public static DecoderFamily? OfModelType(string modelType) => All.FirstOrDefault(f => f.ModelTypes.Contains(modelType));

    /// <summary>The row of a GGUF architecture; null when unknown.</summary>
    public static DecoderFamily? OfGguf(string architecture) => All.FirstOrDefault(f => f.GgufArchitectures.Contains(architecture));
}

/// <summary>How a family chooses experts, when its files do not say.</summary>
internal sealed record ExpertRules
{
    /// <summary>Whether models of the family may have no experts.</summary>
    public bool IsOptional { get; init; }

    /// <summary>What makes scores of the router's logits.</summary>
    public RouterScore Score { get; init; }

    /// <summary>Whether a bias takes part in the choice.</summary>
    public bool HasBias { get; init; }

    /// <summary>Whether the shared expert is gated.</summary>
    public bool HasSharedGate { get; init; }

    /// <summary>Whether the router and the experts have biases.</summary>
    public bool HasBiases { get; init; }

    /// <summary>Whether plain tensors of all experts always hold inputs by outputs; else their shape says it.</summary>
    public bool AreTransposed { get; init; }

    /// <summary>Whether gate and up alternate in a tensor of both; else up follows gate.</summary>
    public bool AreInterleaved { get; init; }
}
