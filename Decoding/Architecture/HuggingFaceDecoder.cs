using System.Text.Json;

namespace Portable.Decoding.Architecture;

/// <summary>Reads a decoder's configuration from config.json, flat or with the language model nested in a vision-language one.</summary>
internal static class HuggingFaceDecoder
{
    private const double MaxNumber = 1e12;

    /// <summary>Reads the configuration.</summary>
    /// <param name="file">The path of config.json, for errors.</param>
    /// <param name="json">Its content.</param>
    /// <param name="generation">The content of generation_config.json, or null.</param>
    public static DecoderConfig Read(string file, JsonElement json, JsonElement? generation)
    {
        ConfigSection root = ConfigSection.Root(file, json);
        ConfigSection text = root.Section("text_config") ?? root.Section("llm_config") ?? root;
        string modelType = text.String("model_type") ?? root.String("model_type")
            ?? throw new InvalidModelException(file, "model_type", "the field is missing");
        DecoderFamily family = DecoderFamily.OfModelType(modelType) ?? throw new UnsupportedException(
            $"Architecture '{modelType}' ({file})", $"supported are {string.Join(", ", DecoderFamily.All.SelectMany(f => f.ModelTypes))}");

        int hidden = text.Dimension("hidden_size"), layers = text.Dimension("num_hidden_layers", 4096);
        int queryHeads = text.Dimension("num_attention_heads", 65536);
        int keyHeads = text.OptionalDimension("num_key_value_heads", 65536) ?? queryHeads;
        LatentAttention? latent = !family.IsLatent ? null : new(
            text.OptionalDimension("q_lora_rank", 65536) ?? 0, text.Dimension("kv_lora_rank", 65536), text.Dimension("qk_rope_head_dim", 65536));
        if (latent is not null)
            keyHeads = queryHeads;
        int headSize = latent is not null ? text.Dimension("qk_nope_head_dim", 65536) + latent.RopeSize
            : (family.AreHeadsOfWidth ? null : text.OptionalDimension("head_dim", 65536)) ?? hidden / queryHeads;
        int ropeSize = latent?.RopeSize ?? (family.AreHeadsOfWidth ? text.OptionalDimension("head_dim", 65536) ?? headSize : headSize);
        if (latent is null && (family.AreHeadsOfWidth || !text.Has("head_dim")) && hidden % queryHeads != 0)
            throw new InvalidModelException(file, text.Field("num_attention_heads"), $"{queryHeads} heads do not divide hidden_size {hidden} evenly, and there is no head_dim");
        if (queryHeads % keyHeads != 0)
            throw new InvalidModelException(file, text.Field("num_key_value_heads"), $"{queryHeads} query heads cannot share {keyHeads} key heads evenly");
        if (headSize < 2 || headSize % 2 != 0 || (long)(queryHeads + (2 * keyHeads)) * headSize > ConfigSection.MaxDimension)
            throw new InvalidModelException(file, text.Field("head_dim"), $"{queryHeads} heads of {headSize} are not possible");
        bool attentionBias = text.Bool(family.BiasField, family.QkvBias);
        int[] windows = ReadWindows(text, family, layers);
        if (latent is not null && attentionBias)
            throw new UnsupportedException($"Latent attention with biases ({file})", "supported without attention_bias");
        (RopeConfig rope, RopeConfig? localRope) = ReadRopes(text, family, ropeSize);
        if (rope.RotaryDimensions > headSize)
            throw new InvalidModelException(file, text.Field("head_dim"), $"{rope.RotaryDimensions} of {headSize} elements cannot rotate");
        if (latent is not null && (rope.RotaryDimensions != latent.RopeSize || latent.RopeSize >= headSize))
            throw new InvalidModelException(file, text.Field("qk_rope_head_dim"), $"{rope.RotaryDimensions} of {headSize} elements cannot rotate");
        DeltaConfig? delta = family.IsHybrid ? ReadDelta(text, layers) : null;
        ActivationKind activation = ReadActivation(text, family);
        return new DecoderConfig
        {
            Architecture = modelType,
            VocabularySize = text.Dimension("vocab_size"),
            HiddenSize = hidden,
            FeedForwardSize = text.Dimension("intermediate_size"),
            Layers = layers,
            QueryHeads = queryHeads,
            KeyHeads = keyHeads,
            HeadSize = headSize,
            NormEpsilon = (float)text.Number("rms_norm_eps", 1e-6, 0, 1),
            ContextLength = text.OptionalDimension("max_position_embeddings", 1 << 28) ?? 4096,
            Rope = rope,
            LocalRope = localRope,
            LayerRopes = ReadLayerRopes(text, family, windows, localRope is not null),
            Windows = windows,
            SeesImagesWhole = family.SeesImagesWhole,
            HasSinks = family.HasSinks,
            Latent = latent,
            Delta = delta,
            HasOutputGate = family.HasOutputGate,
            ValueSize = latent is null ? 0 : text.Dimension("v_head_dim", 65536),
            AttentionScale = latent is null ? ReadAttentionScale(text) : LatentScale(text, headSize),
            AttentionSoftCap = (float)text.Number("attn_logit_softcapping", 0, 0, MaxNumber),
            QueryScale = ReadQueryScale(text, headSize, rope),
            Activation = activation,
            ActivationLimit = activation == ActivationKind.ClampedSwiglu ? ReadActivationLimit(text) : 0,
            QkvBias = attentionBias,
            OutputBias = attentionBias && family.AttentionBiasCoversOutput,
            FeedForwardBias = text.Bool("mlp_bias", false),
            QueryKeyNorm = family.QueryKeyNormField is { } field && !text.Bool(field, true) ? QueryKeyNorm.None : family.QueryKeyNorm,
            Experts = ReadExperts(text, family, layers),
            Norms = family.Norms,
            NormOffset = family.IsNormOffset ? 1 : 0,
            EmbeddingScale = family.IsEmbeddingScaled ? MathF.Sqrt(hidden) : (float)text.Number("embedding_multiplier", 1, 0, MaxNumber),
            ResidualScale = (float)text.Number("residual_multiplier", 1, 0, MaxNumber),
            LogitScale = (float)(1 / text.Number("logits_scaling", 1, 1 / MaxNumber, MaxNumber)),
            LogitSoftCap = (float)text.Number("final_logit_softcapping", 0, 0, MaxNumber),
            TiedHead = text.Has("tie_word_embeddings") ? text.Bool("tie_word_embeddings", false) : root.Bool("tie_word_embeddings", false),
            EndTokens = ReadEndTokens(root, text, file, generation),
        };
    }

    private static ExpertConfig? ReadExperts(ConfigSection text, DecoderFamily family, int layers)
    {
        if (family.Experts is not { } rules)
            return null;
        string? field = ((string[])["num_experts", "num_local_experts", "n_routed_experts"]).FirstOrDefault(text.Has);
        if (field is null && rules.IsOptional)
            return null;
        int width = text.OptionalDimension("moe_intermediate_size") ?? text.Dimension("intermediate_size");
        int dense = (int)text.Number("first_k_dense_replace", 0, 0, layers), step = text.OptionalDimension("decoder_sparse_step") ?? 1;
        IReadOnlyList<int> denseLayers = text.Integers("mlp_only_layers");
        long shared = text.OptionalDimension("shared_expert_intermediate_size") ?? (long)text.Number("n_shared_experts", 0, 0, 1024) * width;
        var experts = new ExpertConfig
        {
            Count = text.Dimension(field ?? "num_experts", 65536),
            PerToken = text.Dimension("num_experts_per_tok", 1024),
            FeedForwardSize = width,
            Layers = [.. Enumerable.Range(0, layers).Select(i => i >= dense && (i + 1) % step == 0 && !denseLayers.Contains(i))],
            Score = text.String("scoring_func") switch
            {
                null => rules.Score,
                "softmax" => RouterScore.Softmax,
                "sigmoid" => RouterScore.Sigmoid,
                { } other => throw new UnsupportedException($"Router scores by '{other}' ({text.File})", "supported are softmax and sigmoid"),
            },
            IsRenormalized = text.Bool("norm_topk_prob", true),
            Scale = (float)text.Number("routed_scaling_factor", 1, 0, MaxNumber),
            HasBiases = rules.HasBiases,
            HasSharedGate = rules.HasSharedGate && shared > 0,
            HasBias = rules.HasBias && text.Bool("use_routing_bias", true),
            Groups = text.OptionalDimension("n_group", 65536) ?? 1,
            GroupsPerToken = text.OptionalDimension("topk_group", 65536) ?? 1,
            SharedSize = (int)Math.Min(shared, ConfigSection.MaxDimension),
        };
        return experts.Fault() is { } fault ? throw new InvalidModelException(text.File, text.Field(field ?? "num_experts"), fault) : experts;
    }

    private static double? ReadAttentionScale(ConfigSection text) =>
        text.Has("attention_multiplier") ? text.Number("attention_multiplier", null, 0, MaxNumber)
        : text.Has("query_pre_attn_scalar") ? 1 / Math.Sqrt(text.Number("query_pre_attn_scalar", null, 1 / MaxNumber, MaxNumber))
        : null;

    private static DeltaConfig ReadDelta(ConfigSection text, int layers)
    {
        IReadOnlyList<string>? types = text.Strings("layer_types");
        if (types is not null && types.Count != layers)
            throw new InvalidModelException(text.File, text.Field("layer_types"), $"expected {layers} entries, found {types.Count}");
        if (types?.FirstOrDefault(t => t is not ("full_attention" or "linear_attention")) is { } unknown)
            throw new UnsupportedException($"A layer of type '{unknown}' ({text.File})", "supported are full_attention and linear_attention");
        int interval = text.OptionalDimension("full_attention_interval", 4096) ?? 4;
        var delta = new DeltaConfig
        {
            Layers = [.. Enumerable.Range(0, layers).Select(i => types is null ? (i + 1) % interval != 0 : types[i] == "linear_attention")],
            KeyHeads = text.Dimension("linear_num_key_heads", 65536),
            ValueHeads = text.Dimension("linear_num_value_heads", 65536),
            KeySize = text.Dimension("linear_key_head_dim", 65536),
            ValueSize = text.Dimension("linear_value_head_dim", 65536),
            Taps = text.Dimension("linear_conv_kernel_dim", 4096),
        };
        return delta.Fault() is { } fault ? throw new InvalidModelException(text.File, text.Field("linear_num_value_heads"), fault) : delta;
    }

    /// <summary>1 / sqrt(head size), times the square of yarn's scale of all dimensions. Source: DeepSeek-V3's published model code.</summary>
    private static double LatentScale(ConfigSection text, int headSize)
    {
        ConfigSection? rope = text.Section("rope_parameters") ?? text.Section("rope_scaling");
        double all = rope?.Number("mscale_all_dim", 0, 0, MaxNumber) ?? 0;
        double scale = all == 0 ? 1 : RopeScaling.YarnScale(rope!.Number("factor", 1, 1e-3, MaxNumber), all);
        return scale * scale / Math.Sqrt(headSize);
    }

    private static float ReadActivationLimit(ConfigSection text)
    {
        // The published code fixes it; a file that says otherwise means another function.
        double alpha = text.Number("swiglu_alpha", 1.702, 0, MaxNumber);
        return alpha == 1.702
            ? (float)text.Number("swiglu_limit", 7, 0, MaxNumber)
            : throw new UnsupportedException($"swiglu_alpha {alpha} ({text.File})", "supported is 1.702");
    }

    private static PositionScale? ReadQueryScale(ConfigSection text, int headSize, RopeConfig rope)
    {
        ConfigSection? section = text.Section("rope_parameters") ?? text.Section("rope_scaling");
        double beta = section?.Number("llama_4_scaling_beta", 0, 0, MaxNumber) ?? 0;
        if (beta == 0)
            return null;
        // The scale travels with the cosines and sines of the queries, so every element of a head must rotate.
        if (rope.RotaryDimensions != headSize)
            throw new UnsupportedException($"llama_4_scaling_beta with a partial rope ({text.File})", "supported with a rope over whole heads");
        return new(beta, OriginalContext(text, section!));
    }

    /// <summary>The rope of most layers, and that of layers with a window where the family has another for them.</summary>
    private static (RopeConfig Rope, RopeConfig? Local) ReadRopes(ConfigSection text, DecoderFamily family, int headSize)
    {
        // transformers 5 writes rope_parameters, one for each kind of layer where they differ; earlier files have
        // rope_theta beside an optional rope_scaling.
        ConfigSection? rope = text.Section("rope_parameters") ?? text.Section("rope_scaling");
        if (rope?.Section("full_attention") is { } full)
            return (ReadRope(text, full, family, headSize), ReadRope(text, rope.Section("sliding_attention") ?? full, family, headSize));
        RopeConfig main = ReadRope(text, rope, family, headSize);
        return family.LocalTheta == 0
            ? (main, null)
            : (main, main with { Theta = text.Number("rope_local_base_freq", family.LocalTheta, 1e-3, MaxNumber), Scaling = RopeScaling.None });
    }

    private static LayerRope[]? ReadLayerRopes(ConfigSection text, DecoderFamily family, int[] windows, bool hasLocal)
    {
        if (hasLocal)
            return [.. windows.Select(w => w > 0 ? LayerRope.Local : LayerRope.Global)];
        if (family.NoRopeInterval == 0)
            return null;
        IReadOnlyList<int> listed = text.Integers("no_rope_layers");
        if (listed.Count != 0 && listed.Count != windows.Length)
            throw new InvalidModelException(text.File, text.Field("no_rope_layers"), $"expected {windows.Length} entries, found {listed.Count}");
        int interval = text.OptionalDimension("no_rope_layer_interval") ?? family.NoRopeInterval;
        return [.. windows.Select((_, i) => (listed.Count == 0 ? (i + 1) % interval != 0 : listed[i] != 0) ? LayerRope.Global : LayerRope.None)];
    }

    private static RopeConfig ReadRope(ConfigSection text, ConfigSection? rope, DecoderFamily family, int headSize)
    {
        double theta = rope is not null && rope.Has("rope_theta")
            ? rope.Number("rope_theta", null, 1e-3, MaxNumber)
            : text.Number("rope_theta", 10000, 1e-3, MaxNumber);
        double partial = text.Number("partial_rotary_factor", rope?.Number("partial_rotary_factor", 1, 0.01, 1) ?? 1, 0.01, 1);
        int rotary = text.OptionalDimension("rotary_dim", headSize) ?? (int)(headSize * partial);
        rotary &= ~1;
        if (rotary < 2)
            throw new InvalidModelException(text.File, text.Field("partial_rotary_factor"), $"{partial} of a head of {headSize} leaves nothing to rotate");
        RopeStyle style = text.Bool("rope_interleave", true) ? family.Rope : RopeStyle.Halves;
        var config = new RopeConfig { Theta = theta, RotaryDimensions = rotary, Style = style };
        if (rope is null)
            return config;
        IReadOnlyList<int> sections = rope.Integers("mrope_section", 8);
        if (sections.Count > 0 && (sections.Count != 3 || sections.Any(s => s < 0 || s > rotary) || sections.Sum() > rotary / 2))
            throw new InvalidModelException(text.File, rope.Field("mrope_section"), $"expected three sections of together {rotary / 2} frequencies");
        return config with
        {
            Scaling = ReadScaling(text, rope, theta, rotary),
            Sections = sections.Count == 0 ? null : sections,
            SectionOrder = rope.Bool("mrope_interleaved", family.SectionOrder == RopeSectionOrder.Interleaved)
                ? RopeSectionOrder.Interleaved
                : RopeSectionOrder.Chunked,
        };
    }

    private static RopeScaling ReadScaling(ConfigSection text, ConfigSection rope, double theta, int rotary)
    {
        string kind = rope.String("rope_type") ?? rope.String("type") ?? "default";
        switch (kind)
        {
            case "default" or "mrope":
                return RopeScaling.None;
            case "linear":
                return new(RopeScalingKind.Linear) { Factor = Factor() };
            case "dynamic":
                if (rotary < 4)
                    throw new InvalidModelException(text.File, rope.Field("type"), $"dynamic scaling of {rotary} rotating elements is not possible");
                return new(RopeScalingKind.Dynamic) { Factor = Factor(), OriginalContext = text.Dimension("max_position_embeddings", 1 << 28) };
            case "llama3":
                double low = rope.Number("low_freq_factor", 1, 1e-3, MaxNumber), high = rope.Number("high_freq_factor", 4, 1e-3, MaxNumber);
                if (high <= low)
                    throw new InvalidModelException(text.File, rope.Field("high_freq_factor"), "it must be above low_freq_factor");
                return new(RopeScalingKind.Llama3)
                {
                    Factor = rope.Number("factor", 8, 1e-3, MaxNumber), LowFactor = low, HighFactor = high,
                    OriginalContext = OriginalContext(text, rope, 8192),
                };
            case "yarn":
                if (theta <= 1)
                    throw new InvalidModelException(text.File, text.Field("rope_theta"), $"yarn needs a base above 1, found {theta}");
                return ReadYarn(text, rope);
            case "longrope" or "su":
                return ReadLongRope(text, rope, rotary / 2);
            default:
                throw new UnsupportedException(
                    $"Rope scaling '{kind}' ({text.File})", "supported are default, linear, dynamic, llama3, yarn, longrope and mrope");
        }

        double Factor() => rope.Number("factor", null, 1e-3, MaxNumber);
    }

    private static RopeScaling ReadYarn(ConfigSection text, ConfigSection rope)
    {
        int original = OriginalContext(text, rope);
        double factor = rope.Number("factor", null, 1e-3, MaxNumber);
        double multiplier = rope.Number("mscale", 0, 0, MaxNumber), all = rope.Number("mscale_all_dim", 0, 0, MaxNumber);
        double attention = multiplier != 0 && all != 0
            ? RopeScaling.YarnScale(factor, multiplier) / RopeScaling.YarnScale(factor, all)
            : RopeScaling.YarnScale(factor);
        return new(RopeScalingKind.Yarn)
        {
            Factor = factor,
            OriginalContext = original,
            BetaFast = rope.Number("beta_fast", 32, 1e-3, MaxNumber),
            BetaSlow = rope.Number("beta_slow", 1, 1e-3, MaxNumber),
            IsRampTruncated = rope.Bool("truncate", true),
            AttentionFactor = rope.Number("attention_factor", attention, 1e-3, MaxNumber),
        };
    }

    private static RopeScaling ReadLongRope(ConfigSection text, ConfigSection rope, int half)
    {
        int original = OriginalContext(text, rope);
        double factor = rope.Number("factor", (double)text.Dimension("max_position_embeddings", 1 << 28) / original, 1e-3, MaxNumber);
        return new(RopeScalingKind.LongRope)
        {
            Factor = factor,
            OriginalContext = original,
            ShortFactors = rope.Positive("short_factor", half),
            LongFactors = rope.Positive("long_factor", half),
            AttentionFactor = rope.Number("attention_factor", RopeScaling.LongRopeScale(factor, original), 1e-3, MaxNumber),
        };
    }

    private static int OriginalContext(ConfigSection text, ConfigSection rope, int? whenAbsent = null) =>
        rope.OptionalDimension("original_max_position_embeddings", 1 << 28)
        ?? text.OptionalDimension("original_max_position_embeddings", 1 << 28)
        ?? whenAbsent
        ?? text.Dimension("max_position_embeddings", 1 << 28);

    private static int[] ReadWindows(ConfigSection text, DecoderFamily family, int layers)
    {
        var windows = new int[layers];
        int window = text.OptionalDimension("sliding_window", 1 << 28) ?? 0;
        if (window == 0 || (family.WindowIsOptIn && !text.Bool("use_sliding_window", false)))
            return windows;
        IReadOnlyList<string>? types = text.Strings("layer_types");
        if (types is not null && types.Count != layers)
            throw new InvalidModelException(text.File, text.Field("layer_types"), $"expected {layers} entries, found {types.Count}");
        if (types?.FirstOrDefault(t => t is not ("full_attention" or "sliding_attention")) is { } unknown)
            throw new UnsupportedException($"Attention of type '{unknown}' ({text.File})", "supported are full_attention and sliding_attention");
        int pattern = text.OptionalDimension("sliding_window_pattern") ?? text.OptionalDimension("_sliding_window_pattern") ?? family.WindowPattern;
        int first = family.WindowIsOptIn ? (int)text.Number("max_window_layers", 0, 0, int.MaxValue) : 0;
        for (int layer = 0; layer < layers; layer++)
        {
            if (types is null ? layer >= first && (pattern == 0 || (layer + 1) % pattern != 0) : types[layer] == "sliding_attention")
                windows[layer] = window;
        }

        return windows;
    }

    // gpt-oss writes silu and means its own.
    private static ActivationKind ReadActivation(ConfigSection text, DecoderFamily family) =>
        family.Activation == ActivationKind.ClampedSwiglu ? family.Activation : ReadActivationName(text, family);

    private static ActivationKind ReadActivationName(ConfigSection text, DecoderFamily family) => (text.String("hidden_activation") ?? text.String("hidden_act")) switch
    {
        null => family.Activation,
        "silu" or "swish" => ActivationKind.Silu,
        "gelu" => ActivationKind.Gelu,
        "gelu_pytorch_tanh" or "gelu_new" => ActivationKind.GeluTanh,
        { } other => throw new UnsupportedException($"Activation '{other}' ({text.File})", "supported are silu, gelu and gelu_pytorch_tanh"),
    };

    private static int[] ReadEndTokens(ConfigSection root, ConfigSection text, string file, JsonElement? generation)
    {
        var ids = new SortedSet<int>(root.Integers("eos_token_id"));
        ids.UnionWith(text.Integers("eos_token_id"));
        if (generation is { ValueKind: JsonValueKind.Object } json)
            ids.UnionWith(ConfigSection.Root(Path.Combine(Path.GetDirectoryName(file) ?? "", "generation_config.json"), json).Integers("eos_token_id"));
        return [.. ids];
    }
}
