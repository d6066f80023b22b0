using System.Text;
using Portable.Checkpoints;
using Portable.Vision.Processing;

namespace Portable.Vision.Towers;

/// <summary>
/// Reads a tower's configuration from the metadata of a projector file (mmproj): the keys <c>clip.*</c> that llama.cpp's converter writes. The families
/// are those of config.json; only names and keys differ.
/// </summary>
internal static class ProjectorReader
{
    private const string Vision = "clip.vision.";

    /// <summary>A projector as its metadata describes it.</summary>
    /// <param name="Family">The family, with the tensor names of projector files.</param>
    /// <param name="Tower">The tower.</param>
    /// <param name="Images">How images are prepared.</param>
    /// <param name="ImageToken">The token that features replace.</param>
    public sealed record Projector(VisionFamily Family, VisionTowerConfig Tower, ImageProcessorConfig Images, int ImageToken);

    // The pixel bounds are those of the families' published processors, for files that state none.
    private static readonly Row[] s_rows =
    [
        new("qwen2vl_merger", "qwen2_vl", VisionTensors.ProjectorQwen2, ["qwen2vl"], 56 * 56, 12_845_056),
        new("qwen2.5vl_merger", "qwen2_5_vl", VisionTensors.ProjectorQwen25, ["qwen2vl"], 56 * 56, 12_845_056),
        new("qwen3vl_merger", "qwen3_vl", VisionTensors.ProjectorQwen3, ["qwen3vl", "qwen3vlmoe", "qwen35"], 65_536, 16_777_216),
    ];

    /// <summary>Whether language models of an architecture have projectors that are read.</summary>
    public static bool Takes(string architecture) => s_rows.Any(row => row.Architectures.Contains(architecture));

    /// <summary>Reads the projector that was opened with a checkpoint.</summary>
    /// <exception cref="InvalidModelException">A key or tensor is missing or contradicts another, or it is the projector of another model.</exception>
    /// <exception cref="UnsupportedException">It is of a kind that is not read.</exception>
    public static Projector Read(Checkpoint checkpoint)
    {
        GgufMetadata metadata = checkpoint.ProjectorMetadata!, language = checkpoint.Metadata!;
        string file = metadata.File;
        if (!metadata.TryGetString("clip.projector_type", out string? type) && !metadata.TryGetString(Vision + "projector_type", out type))
            throw new InvalidModelException(file, "clip.projector_type", "the key is missing");
        Row row = s_rows.FirstOrDefault(r => r.Type == type)
            ?? throw new UnsupportedException($"Projector type '{type}' ({file})", $"read are {string.Join(", ", s_rows.Select(static r => r.Type))}; for other families use the Hugging Face folder");
        string architecture = language.GetString(GgufProjectors.ArchitectureKey);
        if (!row.Architectures.Contains(architecture))
            throw new InvalidModelException(file, "clip.projector_type", $"a {type} goes with a language model of architecture {string.Join(" or ", row.Architectures)}, {checkpoint.Path} is {architecture}");

        VisionFamily family = VisionFamily.OfModelType(row.ModelType)! with { Tensors = row.Tensors };
        int width = Dimension("embedding_length", 1 << 16), layers = Dimension("block_count", 1024), heads = Dimension("attention.head_count", 1 << 12);
        int feedForward = Dimension("feed_forward_length", 1 << 20), patch = Dimension("patch_size", 256), merge = Optional("spatial_merge_size", 8) ?? 2;
        if (width % heads != 0 || width / heads % 4 != 0)
            throw new InvalidModelException(file, Vision + "attention.head_count", $"{heads} heads in a width of {width}: a head needs a whole multiple of 4 elements");
        if ((long)width * 3 * 2 * patch * patch > int.MaxValue || (long)width * merge * merge * width * merge * merge > int.MaxValue)
            throw new InvalidModelException(file, Vision + "embedding_length", $"a width of {width} with patches of {patch} pixels in blocks of {merge} x {merge} is not possible");

        int hidden = language.GetInt32(architecture + ".embedding_length"), output = checkpoint.Describe("mm.2").Rows;
        if (output != hidden)
            throw new InvalidModelException(file, "mm.2.weight", $"it makes rows of {output}, the language model {checkpoint.Path} takes {hidden}: it is the projector of another model; name the right one");
        int side = 0;
        if (family.HasPositionTable)
        {
            const string Table = "v.position_embd.weight";
            if (!checkpoint.TryGetTensor(Table, out CheckpointTensor? table))
                throw new InvalidModelException(file, Table, "the tensor is missing");
            side = (int)Math.Sqrt(table.Elements / width);
            if (side < 1 || side > 1 << 12 || (long)side * side * width != table.Elements)
                throw new InvalidModelException(file, Table, $"{table.Elements} values are no square of positions of {width}");
        }

        // In older files the two linear layers of the MLP had each other's names.
        VisionTensors names = row.Tensors;
        if (feedForward != width && checkpoint.Describe(VisionTensors.At(names.Down, 0)).Columns == width)
            names = names with { Up = names.Down, Down = names.Up };
        if (names.Qkv is null && checkpoint.HasMatrix(VisionTensors.At(VisionTensors.ProjectorQwen3.Qkv!, 0)))
            names = names with { Qkv = VisionTensors.ProjectorQwen3.Qkv };
        var tower = new VisionTowerConfig
        {
            Width = width,
            Layers = layers,
            Heads = heads,
            FeedForwardSize = feedForward,
            OutputSize = output,
            PatchSize = patch,
            TemporalPatchSize = names.PatchSlices!.Count,
            MergeSize = merge,
            Norm = family.Norm,
            NormEpsilon = metadata.TryGetFloat(Vision + "attention.layer_norm_epsilon", out float epsilon) && epsilon is > 0 and < 1 ? epsilon : (float)family.Epsilon,
            Activation = Flag("clip.use_silu") ? ActivationKind.Silu : Flag("clip.use_gelu") ? ActivationKind.GeluTanh : ActivationKind.QuickGelu,
            IsGated = family.IsGated,
            PatchBias = family.PatchBias,
            HasBiases = family.HasBiases,
            Connector = family.Connector,
            WindowBlocks = family.HasWindows ? Math.Max(1, (Optional("window_size", 1 << 16) ?? 112) / (patch * merge)) : 0,
            FullAttentionLayers = family.HasWindows ? FullLayers() : [],
            PositionSide = side,
            Positions = family.Positions,
            Rope = family.Rope,
            DeepstackLayers = family.HasDeepstack ? Taps() : [],
        };
        if (tower.DeepstackLayers.Count > language.GetInt32(architecture + ".block_count"))
            throw new InvalidModelException(file, Vision + "is_deepstack_layers", $"{tower.DeepstackLayers.Count} features for a decoder of fewer layers");
        return new Projector(family with { Tensors = names }, tower, Images(), Token("<|image_pad|>"));

        int Dimension(string key, int most) => Optional(key, most) ?? throw new InvalidModelException(file, Vision + key, "the key is missing");

        int? Optional(string key, int most) => !metadata.TryGetInt32(Vision + key, out int value) ? null
            : value >= 1 && value <= most ? value
            : throw new InvalidModelException(file, Vision + key, $"expected 1 to {most}, found {value}");

        bool Flag(string key) => metadata.TryGetBoolean(key, out bool value) && value;

        IReadOnlyList<int> FullLayers()
        {
            int every = Optional("n_wa_pattern", 1024)
                ?? throw new UnsupportedException($"A windowed tower without {Vision}n_wa_pattern ({file})", "convert it again with a current converter");
            return [.. Enumerable.Range(0, layers).Where(layer => (layer + 1) % every == 0)];
        }

        IReadOnlyList<int> Taps()
        {
            if (!metadata.TryGetBooleanArray(Vision + "is_deepstack_layers", out bool[]? taps))
                return [];
            return taps.Length <= layers ? [.. Enumerable.Range(0, taps.Length).Where(layer => taps[layer])]
                : throw new InvalidModelException(file, Vision + "is_deepstack_layers", $"{taps.Length} entries for {layers} blocks");
        }

        ImageProcessorConfig Images() => new()
        {
            Source = file,
            ImageProcessorType = "Qwen2VLImageProcessor",
            PatchSize = patch,
            TemporalPatchSize = names.PatchSlices!.Count,
            MergeSize = merge,
            MinPixels = Optional("image_min_pixels", int.MaxValue) ?? row.LeastPixels,
            MaxPixels = Optional("image_max_pixels", int.MaxValue) ?? row.MostPixels,
            ImageMean = Colours("image_mean"),
            ImageStd = Colours("image_std"),
        };

        double[] Colours(string key)
        {
            float[] values = metadata.GetFloatArray(Vision + key);
            return values.Length == 3 && values.All(static v => float.IsFinite(v) && v >= 0)
                ? [.. values.Select(static v => (double)v)]
                : throw new InvalidModelException(file, Vision + key, $"expected three numbers, found {string.Join(", ", values)}");
        }

        int Token(string text)
        {
            const string Key = "tokenizer.ggml.tokens";
            ReadOnlyMemory<byte>[] tokens = language.GetBytesArray(Key);
            byte[] wanted = Encoding.UTF8.GetBytes(text);
            int found = Array.FindIndex(tokens, token => token.Span.SequenceEqual(wanted));
            return found >= 0 ? found : throw new InvalidModelException(checkpoint.Path, Key, $"it has no {text}, which images need");
        }
    }

    private sealed record Row(string Type, string ModelType, VisionTensors Tensors, IReadOnlyList<string> Architectures, int LeastPixels, int MostPixels);
}
