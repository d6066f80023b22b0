using System.Text.Json.Nodes;

namespace Portable.Benchmarks.Models;

/// <summary>The vision tower of a Qwen2.5-VL shape, whose weights a checkpoint keeps in bfloat16.</summary>
internal sealed record QwenTower(int Depth, int Width, int FeedForward, int Heads, int Output)
{
    public const int Patch = 14, Merge = 2, Window = 112, Frames = 2, VisionStart = 151_652, VisionEnd = 151_653, ImageToken = 151_655;

    private static readonly int[] WholeLayers = [7, 15, 23, 31];

    /// <summary>That of Qwen2.5-VL-3B.</summary>
    public static QwenTower Small { get; } = new(32, 1280, 3420, 16, 2048);

    /// <summary>Its language model.</summary>
    public static QwenModel SmallDecoder { get; } = new("qwen2.5-vl-3b", 2048, 36, 16, 2, 11008);

    /// <summary>Values of a patch.</summary>
    public int PatchLength => 3 * Frames * Patch * Patch;

    /// <summary>Inputs of the merger: patches that become one token.</summary>
    public int MergedWidth => Merge * Merge * Width;

    /// <summary>Its matrices of one image: how often each is used, the rows that it is given, inputs and outputs.</summary>
    public IReadOnlyList<(string Name, int Count, int Rows, int Columns, int Outputs)> Products(int patches)
    {
        int tokens = patches / (Merge * Merge);
        return
        [
            ("patch embedding", 1, patches, PatchLength, Width), ("qkv", Depth, patches, Width, 3 * Width), ("out", Depth, patches, Width, Width),
            ("gate, up", 2 * Depth, patches, Width, FeedForward), ("down", Depth, patches, FeedForward, Width),
            ("merger, first", 1, tokens, MergedWidth, MergedWidth), ("merger, second", 1, tokens, MergedWidth, Output),
        ];
    }

    /// <summary>Operations of attention for a square image whose sides are whole windows: few layers see all patches, the others those of a window.</summary>
    public double AttentionOperations(int patches)
    {
        const int Side = Window / Patch;
        double pairs = (WholeLayers.Length * (double)patches * patches) + ((Depth - WholeLayers.Length) * (double)patches * Side * Side);
        return 4 * Width * pairs;
    }

    /// <summary>Its tensors: name, deviation of the values (0 for ones), dimensions.</summary>
    public IEnumerable<(string Name, float Deviation, long[] Dimensions)> Tensors()
    {
        yield return ("visual.patch_embed.proj.weight", 0.02f, [Width, 3, Frames, Patch, Patch]);
        for (int i = 0; i < Depth; i++)
        {
            string block = $"visual.blocks.{i}.";
            yield return (block + "norm1.weight", 0, [Width]);
            yield return (block + "norm2.weight", 0, [Width]);
            foreach ((string name, int rows, int columns) in new[]
            {
                ("attn.qkv", 3 * Width, Width), ("attn.proj", Width, Width), ("mlp.gate_proj", FeedForward, Width), ("mlp.up_proj", FeedForward, Width),
                ("mlp.down_proj", Width, FeedForward),
            })
            {
                yield return ($"{block}{name}.weight", 0.02f, [rows, columns]);
                yield return ($"{block}{name}.bias", 0.01f, [rows]);
            }
        }

        yield return ("visual.merger.ln_q.weight", 0, [Width]);
        yield return ("visual.merger.mlp.0.weight", 0.01f, [MergedWidth, MergedWidth]);
        yield return ("visual.merger.mlp.0.bias", 0.01f, [MergedWidth]);
        yield return ("visual.merger.mlp.2.weight", 0.01f, [Output, MergedWidth]);
        yield return ("visual.merger.mlp.2.bias", 0.01f, [Output]);
    }

    /// <summary>What config.json says of it and of images.</summary>
    public void AddTo(JsonObject config)
    {
        config["architectures"] = new JsonArray("Qwen2_5_VLForConditionalGeneration");
        config["model_type"] = "qwen2_5_vl";
        config["image_token_id"] = ImageToken;
        config["vision_start_token_id"] = VisionStart;
        config["vision_end_token_id"] = VisionEnd;
        config["rope_scaling"] = new JsonObject { ["type"] = "mrope", ["mrope_section"] = new JsonArray(16, 24, 24) };
        config["quantization_config"]!["modules_to_not_convert"] = new JsonArray("visual");
        config["vision_config"] = new JsonObject
        {
            ["depth"] = Depth, ["hidden_size"] = Width, ["hidden_act"] = "silu", ["intermediate_size"] = FeedForward, ["num_heads"] = Heads, ["in_chans"] = 3,
            ["out_hidden_size"] = Output, ["patch_size"] = Patch, ["spatial_merge_size"] = Merge, ["temporal_patch_size"] = Frames, ["window_size"] = Window,
            ["fullatt_block_indexes"] = new JsonArray([.. WholeLayers.Select(static layer => JsonValue.Create(layer))]), ["tokens_per_second"] = 2,
        };
    }

    /// <summary>preprocessor_config.json.</summary>
    public static JsonObject Preprocessor() => new()
    {
        ["image_processor_type"] = "Qwen2VLImageProcessor", ["patch_size"] = Patch, ["temporal_patch_size"] = Frames, ["merge_size"] = Merge,
        ["min_pixels"] = 3136, ["max_pixels"] = 12_845_056,
        ["image_mean"] = new JsonArray(0.48145466, 0.4578275, 0.40821073), ["image_std"] = new JsonArray(0.26862954, 0.26130258, 0.27577711),
    };
}
