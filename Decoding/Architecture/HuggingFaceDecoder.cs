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
        int headSize = text.OptionalDimension("head_dim", 65536) ?? hidden / queryHeads;
        if (!text.Has("head_dim") && hidden % queryHeads != 0)
            throw new InvalidModelException(file, text.Field("num_attention_heads"), $"{queryHeads} heads do not divide hidden_size {hidden} evenly, and there is no head_dim");
        if (queryHeads % keyHeads != 0)
            throw new InvalidModelException(file, text.Field("num_key_value_heads"), $"{queryHeads} query heads cannot share {keyHeads} key heads evenly");
        if (headSize < 2 || headSize % 2 != 0 || (long)(queryHeads + (2 * keyHeads)) * headSize > ConfigSection.MaxDimension)
            throw new InvalidModelException(file, text.Field("head_dim"), $"{queryHeads} heads of {headSize} are not possible");
        bool attentionBias = text.Bool("attention_bias", family.QkvBias);
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
            Rope = ReadRope(text, family, headSize),
            Windows = ReadWindows(text, family, layers),
            Activation = ReadActivation(text),
            QkvBias = attentionBias,
            OutputBias = attentionBias && family.AttentionBiasCoversOutput,
            FeedForwardBias = text.Bool("mlp_bias", false),
            QueryKeyNorm = family.QueryKeyNorm,
            TiedHead = text.Has("tie_word_embeddings") ? text.Bool("tie_word_embeddings", false) : root.Bool("tie_word_embeddings", false),
            EndTokens = ReadEndTokens(root, text, file, generation),
        };
    }

    private static RopeConfig ReadRope(ConfigSection text, DecoderFamily family, int headSize)
    {
        // transformers 5 writes rope_parameters; earlier files have rope_theta beside an optional rope_scaling.
        ConfigSection? rope = text.Section("rope_parameters") ?? text.Section("rope_scaling");
        double theta = rope is not null && rope.Has("rope_theta")
            ? rope.Number("rope_theta", null, 1e-3, MaxNumber)
            : text.Number("rope_theta", 10000, 1e-3, MaxNumber);
        double partial = text.Number("partial_rotary_factor", rope?.Number("partial_rotary_factor", 1, 0.01, 1) ?? 1, 0.01, 1);
        int rotary = (int)(headSize * partial) & ~1;
        if (rotary < 2)
            throw new InvalidModelException(text.File, text.Field("partial_rotary_factor"), $"{partial} of a head of {headSize} leaves nothing to rotate");
        var config = new RopeConfig { Theta = theta, RotaryDimensions = rotary };
        if (rope is null)
            return config;
        string kind = rope.String("rope_type") ?? rope.String("type") ?? "default";
        RopeScaling scaling = kind switch
        {
            "default" or "mrope" => RopeScaling.None,
            "linear" => new(RopeScalingKind.Linear, rope.Number("factor", null, 1e-3, MaxNumber)),
            "llama3" => new(
                RopeScalingKind.Llama3,
                rope.Number("factor", 8, 1e-3, MaxNumber),
                rope.Number("low_freq_factor", 1, 1e-3, MaxNumber),
                rope.Number("high_freq_factor", 4, 1e-3, MaxNumber),
                rope.OptionalDimension("original_max_position_embeddings", 1 << 28)
                    ?? text.OptionalDimension("original_max_position_embeddings", 1 << 28) ?? 8192),
            _ => throw new UnsupportedException($"Rope scaling '{kind}' ({text.File})", "supported are default, linear, llama3 and mrope"),
        };
        if (scaling.Kind == RopeScalingKind.Llama3 && scaling.HighFactor <= scaling.LowFactor)
            throw new InvalidModelException(text.File, rope.Field("high_freq_factor"), "it must be above low_freq_factor");
        IReadOnlyList<int> sections = rope.Integers("mrope_section", 8);
        if (sections.Count > 0 && (sections.Count != 3 || sections.Any(s => s < 0 || s > rotary) || sections.Sum() > rotary / 2))
            throw new InvalidModelException(text.File, rope.Field("mrope_section"), $"expected three sections of together {rotary / 2} frequencies");
        return config with
        {
            Scaling = scaling,
            Sections = sections.Count == 0 ? null : sections,
            SectionOrder = rope.Bool("mrope_interleaved", family.SectionOrder == RopeSectionOrder.Interleaved)
                ? RopeSectionOrder.Interleaved
                : RopeSectionOrder.Chunked,
        };
    }

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
        int first = family.WindowIsOptIn ? (int)text.Number("max_window_layers", 0, 0, int.MaxValue) : 0;
        for (int layer = 0; layer < layers; layer++)
        {
            if (types is null ? layer >= first : types[layer] == "sliding_attention")
                windows[layer] = window;
        }

        return windows;
    }

    private static ActivationKind ReadActivation(ConfigSection text) => (text.String("hidden_act") ?? "silu") switch
    {
        "silu" or "swish" => ActivationKind.Silu,
        "gelu" => ActivationKind.Gelu,
        "gelu_pytorch_tanh" or "gelu_new" => ActivationKind.GeluTanh,
        string other => throw new UnsupportedException($"Activation '{other}' ({text.File})", "supported are silu, gelu and gelu_pytorch_tanh"),
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
