using Portable.Decoding.Architecture;

namespace Portable.Vision.Towers;

/// <summary>Reads a tower's configuration from the vision_config of config.json.</summary>
internal static class VisionTowerReader
{
    /// <summary>Reads and checks the configuration.</summary>
    /// <param name="root">config.json.</param>
    /// <param name="family">The family that its model_type names.</param>
    /// <exception cref="InvalidModelException">A field is missing, of the wrong type, or contradicts another.</exception>
    /// <exception cref="UnsupportedException">A field has a sound value that the tower does not know.</exception>
    public static VisionTowerConfig Read(ConfigSection root, VisionFamily family)
    {
        ConfigSection vision = root.Section("vision_config")
            ?? throw new InvalidModelException(root.File, "vision_config", $"the field is missing; a {family.ModelType} model has a vision tower");
        int channels = vision.OptionalDimension("in_channels", 64) ?? vision.OptionalDimension("in_chans", 64) ?? 3;
        if (channels != 3)
            throw new UnsupportedException($"A vision tower for {channels} channels ({root.File})", "images have three: red, green and blue");
        int width = vision.Dimension(family.WidthField, 1 << 16), heads = vision.Dimension("num_heads", 1 << 12);
        int layers = vision.Dimension("depth", 1024), merge = vision.OptionalDimension("spatial_merge_size", 8) ?? 2;
        if (width % heads != 0 || width / heads % 4 != 0)
        {
            throw new InvalidModelException(
                root.File, vision.Field("num_heads"), $"{heads} heads in a width of {width}: a head needs a whole multiple of 4 elements");
        }

        int patch = vision.OptionalDimension("patch_size", 256) ?? family.PatchSize;
        var config = new VisionTowerConfig
        {
            Width = width,
            Layers = layers,
            Heads = heads,
            FeedForwardSize = family.HasMlpRatio
                ? (int)(width * vision.Number("mlp_ratio", 4, 0.01, 64))
                : vision.Dimension("intermediate_size"),
            OutputSize = vision.Dimension(family.OutputField),
            PatchSize = patch,
            TemporalPatchSize = vision.OptionalDimension("temporal_patch_size", 64) ?? 2,
            MergeSize = merge,
            Norm = family.Norm,
            Activation = ReadActivation(vision, family),
            IsGated = family.IsGated,
            PatchBias = family.PatchBias,
            WindowBlocks = family.HasWindows ? ReadWindow(vision, patch * merge) : 0,
            FullAttentionLayers = family.HasWindows ? ReadLayers(vision, "fullatt_block_indexes", layers) : [],
            PositionSide = family.HasPositionTable ? ReadPositionSide(vision, width) : 0,
            DeepstackLayers = family.HasDeepstack ? ReadLayers(vision, "deepstack_visual_indexes", layers) : [],
            RopeTheta = ReadTheta(vision),
        };
        CheckDecoder(root, vision, family, config);
        return config;
    }

    private static void CheckDecoder(ConfigSection root, ConfigSection vision, VisionFamily family, VisionTowerConfig config)
    {
        ConfigSection text = root.Section("text_config") ?? root;
        int hidden = text.Dimension("hidden_size"), layers = text.Dimension("num_hidden_layers", 4096);
        if (config.OutputSize != hidden)
            throw new InvalidModelException(root.File, vision.Field(family.OutputField), $"expected the decoder's hidden size {hidden}, found {config.OutputSize}");
        if (config.DeepstackLayers.Count > layers)
        {
            throw new InvalidModelException(
                root.File, vision.Field("deepstack_visual_indexes"), $"{config.DeepstackLayers.Count} features for a decoder of {layers} layers");
        }
    }

    private static ActivationKind ReadActivation(ConfigSection vision, VisionFamily family) => (vision.String("hidden_act") ?? family.Activation) switch
    {
        "quick_gelu" => ActivationKind.QuickGelu,
        "gelu" => ActivationKind.Gelu,
        "gelu_pytorch_tanh" or "gelu_new" => ActivationKind.GeluTanh,
        "silu" or "swish" => ActivationKind.Silu,
        string other => throw new UnsupportedException(
            $"Activation '{other}' of a vision tower ({vision.File})", "supported are quick_gelu, gelu, gelu_pytorch_tanh and silu"),
    };

    private static int ReadWindow(ConfigSection vision, int blockPixels)
    {
        int pixels = vision.OptionalDimension("window_size", 1 << 16) ?? 112;
        return pixels >= blockPixels
            ? pixels / blockPixels
            : throw new InvalidModelException(vision.File, vision.Field("window_size"), $"expected at least one merge block of {blockPixels} pixels, found {pixels}");
    }

    private static IReadOnlyList<int> ReadLayers(ConfigSection vision, string field, int layers)
    {
        if (!vision.Has(field))
            throw new InvalidModelException(vision.File, vision.Field(field), "the field is missing");
        IReadOnlyList<int> indexes = vision.Integers(field);
        for (int i = 0; i < indexes.Count; i++)
        {
            if (indexes[i] < 0 || indexes[i] >= layers || (i > 0 && indexes[i] <= indexes[i - 1]))
                throw new InvalidModelException(vision.File, vision.Field(field), $"expected ascending blocks from 0 to {layers - 1}, found {string.Join(", ", indexes)}");
        }

        return indexes;
    }

    private static int ReadPositionSide(ConfigSection vision, int width)
    {
        int count = vision.Dimension("num_position_embeddings");
        int side = (int)Math.Sqrt(count);
        if (side * side != count || (long)count * width > int.MaxValue)
            throw new InvalidModelException(vision.File, vision.Field("num_position_embeddings"), $"expected the square of a number of positions, found {count}");
        return side;
    }

    private static double ReadTheta(ConfigSection vision)
    {
        if (vision.Section("rope_parameters") is not { } rope)
            return 10000;
        string kind = rope.String("rope_type") ?? "axial";
        if (kind is not ("axial" or "default"))
            throw new UnsupportedException($"Rope '{kind}' of a vision tower ({vision.File})", "supported is the axial one, over rows and columns");
        return rope.Number("rope_theta", 10000, 1e-3, 1e12);
    }
}
