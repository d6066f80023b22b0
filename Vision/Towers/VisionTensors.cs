using System.Globalization;

namespace Portable.Vision.Towers;

/// <summary>
/// The names of a tower's tensors below its prefix, without ".weight" and ".bias"; {0} is the block, or the index of a
/// deepstack merger.
/// </summary>
internal sealed record VisionTensors
{
    /// <summary>Prefixes under which versions of transformers save the tower.</summary>
    public static IReadOnlyList<string> Prefixes { get; } = ["model.visual.", "visual."];

    public string PatchEmbedding { get; init; } = "patch_embed.proj";

    public string PositionTable { get; init; } = "pos_embed";

    public string AttentionNorm { get; init; } = "blocks.{0}.norm1";

    public string Qkv { get; init; } = "blocks.{0}.attn.qkv";

    public string Output { get; init; } = "blocks.{0}.attn.proj";

    public string FeedForwardNorm { get; init; } = "blocks.{0}.norm2";

    /// <summary>The gate of a gated MLP; null where there is none.</summary>
    public string? Gate { get; init; }

    public required string Up { get; init; }

    public required string Down { get; init; }

    public required MergerTensors Merger { get; init; }

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

    /// <summary>A name with its index filled in.</summary>
    public static string At(string pattern, int index) => string.Format(CultureInfo.InvariantCulture, pattern, index);

    /// <summary>Every matrix of a tower, below the prefix.</summary>
    public IEnumerable<string> Matrices(VisionTowerConfig config)
    {
        yield return PatchEmbedding;
        for (int layer = 0; layer < config.Layers; layer++)
        {
            yield return At(Qkv, layer);
            yield return At(Output, layer);
            if (Gate is not null)
                yield return At(Gate, layer);
            yield return At(Up, layer);
            yield return At(Down, layer);
        }

        yield return Merger.First;
        yield return Merger.Second;
        for (int i = 0; i < config.DeepstackLayers.Count; i++)
        {
            yield return At(Deepstack.First, i);
            yield return At(Deepstack.Second, i);
        }
    }
}

/// <summary>The names of a merger's tensors.</summary>
/// <param name="Norm">Its norm.</param>
/// <param name="First">Its first linear layer.</param>
/// <param name="Second">Its second linear layer.</param>
internal readonly record struct MergerTensors(string Norm, string First, string Second);
