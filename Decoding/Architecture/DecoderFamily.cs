namespace Portable.Decoding.Architecture;

/// <summary>
/// One row per decoder family: by which names files call it and in what it differs from Llama. A new family that the
/// block can express is a new row.
/// </summary>
internal sealed record DecoderFamily(string Name)
{
    /// <summary>model_type values of config.json, of the text part of a vision-language model too.</summary>
    public required IReadOnlyList<string> ModelTypes { get; init; }

    /// <summary>general.architecture values of GGUF files.</summary>
    public required IReadOnlyList<string> GgufArchitectures { get; init; }

    /// <summary>Whether q, k and v have biases, when the configuration has no attention_bias.</summary>
    public bool QkvBias { get; init; }

    /// <summary>Whether attention_bias gives the output projection a bias too.</summary>
    public bool AttentionBiasCoversOutput { get; init; }

    /// <summary>Whether query and key heads are normed.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Whether sliding_window counts only with use_sliding_window, from max_window_layers on.</summary>
    public bool WindowIsOptIn { get; init; }

    /// <summary>How the rope of its GGUF files pairs elements: their q and k rows are reordered for Pairs.</summary>
    public RopeStyle GgufRope { get; init; } = RopeStyle.Halves;

    /// <summary>How the sections of a multi-axis rope are laid out.</summary>
    public RopeSectionOrder SectionOrder { get; init; }

    /// <summary>The families that are supported.</summary>
    public static IReadOnlyList<DecoderFamily> All { get; } =
    [
        new("llama")
        {
            ModelTypes = ["llama"], GgufArchitectures = ["llama"], AttentionBiasCoversOutput = true, GgufRope = RopeStyle.Pairs,
        },
        new("mistral") { ModelTypes = ["mistral"], GgufArchitectures = [] },
        new("qwen2")
        {
            ModelTypes = ["qwen2", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"], GgufArchitectures = ["qwen2", "qwen2vl"],
            QkvBias = true, WindowIsOptIn = true,
        },
        new("qwen3")
        {
            ModelTypes = ["qwen3", "qwen3_vl", "qwen3_vl_text"], GgufArchitectures = ["qwen3", "qwen3vl"],
            QueryKeyNorm = true, WindowIsOptIn = true, AttentionBiasCoversOutput = true, SectionOrder = RopeSectionOrder.Interleaved,
        },
    ];

    /// <summary>The row of a model_type; null when unknown.</summary>
    public static DecoderFamily? OfModelType(string modelType) => All.FirstOrDefault(f => f.ModelTypes.Contains(modelType));

    /// <summary>The row of a GGUF architecture; null when unknown.</summary>
    public static DecoderFamily? OfGguf(string architecture) => All.FirstOrDefault(f => f.GgufArchitectures.Contains(architecture));
}
