using System.Globalization;

namespace Portable.Vision.Towers;

/// <summary>
/// The names of a tower's tensors below its prefix, without ".weight" and ".bias"; {0} is the block, or the index of a
/// deepstack merger.
/// </summary>
internal sealed record VisionTensors
{
    /// <summary>Prefixes under which versions of transformers save the tower.</summary>
    public static IReadOnlyList<string> Prefixes { get; } =
    [
        "model.visual.", "visual.", "vision_tower.vision_model.", "vision_tower.", "model.vision_tower.vision_model.", "model.vision_tower.", "model.vision_model.",
        "vision_model.",
    ];

    /// <summary>What stands before the names of the connector: they begin where the tower's prefix does, in families that keep it apart from the tower.</summary>
    public string ConnectorPrefix(string prefix) => !IsConnectorApart ? prefix : prefix.StartsWith("model.", StringComparison.Ordinal) ? "model." : "";

    /// <summary>Whether the connector's names are not below the tower's prefix.</summary>
    public bool IsConnectorApart { get; init; }

    public string PatchEmbedding { get; init; } = "patch_embed.proj";

    /// <summary>The patch embedding's tensors, one for each frame of a patch; null where one tensor holds all.</summary>
    public IReadOnlyList<string>? PatchSlices { get; init; }

    /// <summary>Whether the mergers of tapped blocks are named after the block instead of being counted.</summary>
    public bool AreTapsNamedByBlock { get; init; }

    /// <summary>The whole name of the position table.</summary>
    public string PositionTable { get; init; } = "pos_embed.weight";

    public string AttentionNorm { get; init; } = "blocks.{0}.norm1";

    /// <summary>q, k and v in one tensor; null where they are apart.</summary>
    public string? Qkv { get; init; } = "blocks.{0}.attn.qkv";

    public string Query { get; init; } = "";

    public string Key { get; init; } = "";

    public string Value { get; init; } = "";

    /// <summary>The row before the patches: its whole name.</summary>
    public string ClassToken { get; init; } = "";

    /// <summary>The norm of the embedded patches.</summary>
    public string EmbeddingNorm { get; init; } = "";

    /// <summary>The norm of the last block's output.</summary>
    public string FinalNorm { get; init; } = "";

    /// <summary>What multiplies the attention branch and the MLP branch: whole names.</summary>
    public string AttentionScale { get; init; } = "";

    public string FeedForwardScale { get; init; } = "";

    /// <summary>The learned row at the end of rows of tokens: its whole name, below the connector's prefix.</summary>
    public string Newline { get; init; } = "image_newline";

    public string Output { get; init; } = "blocks.{0}.attn.proj";

    public string FeedForwardNorm { get; init; } = "blocks.{0}.norm2";

    /// <summary>The gate of a gated MLP; null where there is none.</summary>
    public string? Gate { get; init; }

    public required string Up { get; init; }

    public required string Down { get; init; }

    public required MergerTensors Merger { get; init; }

    /// <summary>The layer that a connector begins with and whose inputs lie channel by channel: its whole name.</summary>
    public string Downsample { get; init; } = "";

    /// <summary>The gate and the other input of a gated connector.</summary>
    public string ConnectorGate { get; init; } = "";

    public string ConnectorUp { get; init; } = "";

    /// <summary>The projection of a connector that pools: its whole name, [width, output].</summary>
    public string PooledProjection { get; init; } = "multi_modal_projector.mm_input_projection_weight";

    /// <summary>The mergers of tapped blocks.</summary>
    public MergerTensors Deepstack { get; init; }

    /// <summary>As saved for Qwen2-VL.</summary>
    public static VisionTensors Qwen2 { get; } = new()
    {
        Up = "blocks.{0}.mlp.fc1", Down = "blocks.{0}.mlp.fc2",
        Merger = new("merger.ln_q", "merger.mlp.0", "merger.mlp.2"),
    };

    /// <summary>As saved for Qwen2.5-VL.</summary>
    public static VisionTensors Qwen25 { get; } = Qwen2 with
    {
        Gate = "blocks.{0}.mlp.gate_proj", Up = "blocks.{0}.mlp.up_proj", Down = "blocks.{0}.mlp.down_proj",
    };

    /// <summary>As saved for Qwen3-VL.</summary>
    public static VisionTensors Qwen3 { get; } = new()
    {
        Up = "blocks.{0}.mlp.linear_fc1", Down = "blocks.{0}.mlp.linear_fc2",
        Merger = new("merger.norm", "merger.linear_fc1", "merger.linear_fc2"),
        Deepstack = new("deepstack_merger_list.{0}.norm", "deepstack_merger_list.{0}.linear_fc1", "deepstack_merger_list.{0}.linear_fc2"),
    };

    /// <summary>SigLIP's and CLIP's names, which LLaVA, Gemma-3 and Idefics-3 use.</summary>
    public static VisionTensors Siglip { get; } = new()
    {
        PatchEmbedding = "embeddings.patch_embedding", PositionTable = "embeddings.position_embedding.weight", ClassToken = "embeddings.class_embedding",
        EmbeddingNorm = "pre_layrnorm", FinalNorm = "post_layernorm",
        AttentionNorm = "encoder.layers.{0}.layer_norm1", FeedForwardNorm = "encoder.layers.{0}.layer_norm2", Qkv = null,
        Query = "encoder.layers.{0}.self_attn.q_proj", Key = "encoder.layers.{0}.self_attn.k_proj", Value = "encoder.layers.{0}.self_attn.v_proj",
        Output = "encoder.layers.{0}.self_attn.out_proj", Up = "encoder.layers.{0}.mlp.fc1", Down = "encoder.layers.{0}.mlp.fc2",
        IsConnectorApart = true, Merger = new("", "multi_modal_projector.linear_1", "multi_modal_projector.linear_2"),
    };

    /// <summary>As saved for InternVL by transformers.</summary>
    public static VisionTensors InternVl { get; } = new()
    {
        PatchEmbedding = "embeddings.patch_embeddings.projection", PositionTable = "embeddings.position_embeddings", ClassToken = "embeddings.cls_token",
        AttentionNorm = "encoder.layer.{0}.layernorm_before", FeedForwardNorm = "encoder.layer.{0}.layernorm_after", Qkv = null,
        Query = "encoder.layer.{0}.attention.q_proj", Key = "encoder.layer.{0}.attention.k_proj", Value = "encoder.layer.{0}.attention.v_proj",
        Output = "encoder.layer.{0}.attention.projection_layer", Up = "encoder.layer.{0}.mlp.fc1", Down = "encoder.layer.{0}.mlp.fc2",
        AttentionScale = "encoder.layer.{0}.lambda_1", FeedForwardScale = "encoder.layer.{0}.lambda_2",
        IsConnectorApart = true, Merger = new("multi_modal_projector.layer_norm", "multi_modal_projector.linear_1", "multi_modal_projector.linear_2"),
    };

    /// <summary>As saved for Pixtral and Mistral-3.</summary>
    public static VisionTensors Pixtral { get; } = new()
    {
        PatchEmbedding = "patch_conv", EmbeddingNorm = "ln_pre",
        AttentionNorm = "transformer.layers.{0}.attention_norm", FeedForwardNorm = "transformer.layers.{0}.ffn_norm", Qkv = null,
        Query = "transformer.layers.{0}.attention.q_proj", Key = "transformer.layers.{0}.attention.k_proj", Value = "transformer.layers.{0}.attention.v_proj",
        Output = "transformer.layers.{0}.attention.o_proj", Gate = "transformer.layers.{0}.feed_forward.gate_proj",
        Up = "transformer.layers.{0}.feed_forward.up_proj", Down = "transformer.layers.{0}.feed_forward.down_proj",
        IsConnectorApart = true, Merger = new("multi_modal_projector.norm", "multi_modal_projector.linear_1", "multi_modal_projector.linear_2"),
        Downsample = "multi_modal_projector.patch_merger.merging_layer.weight",
    };

    /// <summary>As saved for GLM-4V.</summary>
    public static VisionTensors Glm4v { get; } = Qwen2 with
    {
        PositionTable = "embeddings.position_embedding.weight", EmbeddingNorm = "post_conv_layernorm", FinalNorm = "post_layernorm",
        Gate = "blocks.{0}.mlp.gate_proj", Up = "blocks.{0}.mlp.up_proj", Down = "blocks.{0}.mlp.down_proj", Downsample = "downsample.weight",
        Merger = new("merger.post_projection_norm", "merger.proj", "merger.down_proj"), ConnectorGate = "merger.gate_proj", ConnectorUp = "merger.up_proj",
    };

    /// <summary>As projector files (GGUF) name Qwen2-VL's.</summary>
    public static VisionTensors ProjectorQwen2 { get; } = new()
    {
        PatchEmbedding = "v.patch_embd", PatchSlices = ["v.patch_embd.weight", "v.patch_embd.weight.1"], PositionTable = "v.position_embd.weight",
        AttentionNorm = "v.blk.{0}.ln1", FeedForwardNorm = "v.blk.{0}.ln2", Qkv = null, Query = "v.blk.{0}.attn_q", Key = "v.blk.{0}.attn_k", Value = "v.blk.{0}.attn_v",
        Output = "v.blk.{0}.attn_out", Up = "v.blk.{0}.ffn_up", Down = "v.blk.{0}.ffn_down", Merger = new("v.post_ln", "mm.0", "mm.2"),
    };

    /// <summary>As projector files (GGUF) name Qwen2.5-VL's.</summary>
    public static VisionTensors ProjectorQwen25 { get; } = ProjectorQwen2 with { Gate = "v.blk.{0}.ffn_gate" };

    /// <summary>As projector files (GGUF) name Qwen3-VL's.</summary>
    public static VisionTensors ProjectorQwen3 { get; } = ProjectorQwen2 with
    {
        Qkv = "v.blk.{0}.attn_qkv", AreTapsNamedByBlock = true, Deepstack = new("v.deepstack.{0}.norm", "v.deepstack.{0}.fc1", "v.deepstack.{0}.fc2"),
    };

    /// <summary>What a merger of a tapped block is named after.</summary>
    public int Tap(VisionTowerConfig config, int merger) => AreTapsNamedByBlock ? config.DeepstackLayers[merger] : merger;

    /// <summary>A name with its index filled in.</summary>
    public static string At(string pattern, int index) => string.Format(CultureInfo.InvariantCulture, pattern, index);

    /// <summary>Every matrix of a tower, with its prefix.</summary>
    public IEnumerable<string> Matrices(VisionTowerConfig config, string prefix)
    {
        if (PatchSlices is null)
            yield return prefix + PatchEmbedding;
        for (int layer = 0; layer < config.Layers; layer++)
        {
            string[] parts = Qkv is null ? [Query, Key, Value, Output] : [Qkv, Output];
            foreach (string name in (string[])[.. parts, .. Gate is null ? (string[])[] : [Gate], Up, Down])
                yield return prefix + At(name, layer);
        }

        string apart = ConnectorPrefix(prefix);
        foreach (string name in config.Connector switch
        {
            ConnectorKind.Pooled => (string[])[],
            ConnectorKind.Linear => [Merger.First],
            ConnectorKind.GatedMerger => [Merger.First, ConnectorGate, ConnectorUp, Merger.Second],
            _ => [Merger.First, Merger.Second],
        })
            yield return apart + name;
        for (int i = 0; i < config.DeepstackLayers.Count; i++)
        {
            yield return prefix + At(Deepstack.First, Tap(config, i));
            yield return prefix + At(Deepstack.Second, Tap(config, i));
        }
    }

    /// <summary>The matrices that are stored otherwise than they are used, and are uploaded as float32.</summary>
    public IEnumerable<(string Tensor, int Rows, int Columns)> Rearranged(VisionTowerConfig config, string prefix)
    {
        string apart = ConnectorPrefix(prefix);
        if (PatchSlices is not null)
            yield return (prefix + PatchEmbedding, config.Width, config.PatchLength);
        if (config.Connector == ConnectorKind.Pooled)
            yield return (apart + PooledProjection, config.OutputSize, config.Width);
        if (config.Connector is ConnectorKind.GatedMerger)
            yield return (apart + Downsample, config.OutputSize, config.MergedWidth);
        if (config.Connector is ConnectorKind.MergedTwoLinear)
            yield return (apart + Downsample, config.Width, config.MergedWidth);
    }
}

/// <summary>The names of a merger's tensors.</summary>
/// <param name="Norm">Its norm.</param>
/// <param name="First">Its first linear layer.</param>
/// <param name="Second">Its second linear layer.</param>
internal readonly record struct MergerTensors(string Norm, string First, string Second);
