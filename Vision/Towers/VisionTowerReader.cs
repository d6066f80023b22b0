using Portable.Vision.Processing;
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
        if (family.TowerType is { } type && vision.String("model_type") is { } found && found != type)
            throw new UnsupportedException($"A vision tower of type '{found}' in a {family.ModelType} model ({root.File})", $"supported is {type}");
        int channels = vision.OptionalDimension("in_channels", 64) ?? vision.OptionalDimension("in_chans", 64) ?? vision.OptionalDimension("num_channels", 64) ?? 3;
        if (channels != 3)
            throw new UnsupportedException($"A vision tower for {channels} channels ({root.File})", "images have three: red, green and blue");
        ConfigSection text = root.Section("text_config") ?? root;
        bool isGrid = family.Layout == ImageLayoutKind.Grid;
        int width = vision.Dimension(family.WidthField, 1 << 16), heads = vision.Dimension(family.HeadsField, 1 << 12);
        int layers = vision.Dimension(family.LayersField, 1024);
        if (width % heads != 0 || width / heads % 4 != 0)
        {
            throw new InvalidModelException(
                root.File, vision.Field(family.HeadsField), $"{heads} heads in a width of {width}: a head needs a whole multiple of 4 elements");
        }

        int patch = Side(vision, "patch_size", 256) ?? family.PatchSize;
        int side = family is { HasPositionTable: true, Positions: PositionKind.Fixed or PositionKind.Bicubic }
            ? (Side(vision, "image_size", 1 << 14) ?? throw new InvalidModelException(root.File, vision.Field("image_size"), "the field is missing")) / patch
            : 0;
        int merge = ReadMerge(root, vision, family, side);
        var config = new VisionTowerConfig
        {
            Width = width,
            Layers = isGrid ? layers : ReadLayerCount(root, family, layers),
            Heads = heads,
            FeedForwardSize = family.HasMlpRatio
                ? (int)(width * vision.Number("mlp_ratio", 4, 0.01, 64))
                : vision.Dimension(family.FeedForwardField),
            OutputSize = isGrid ? vision.Dimension(family.OutputField) : text.Dimension("hidden_size"),
            PatchSize = patch,
            TemporalPatchSize = isGrid ? vision.OptionalDimension("temporal_patch_size", 64) ?? 2 : 1,
            MergeSize = merge,
            Norm = family.Norm,
            NormEpsilon = (float)(family.EpsilonField is { } epsilon ? vision.Number(epsilon, family.Epsilon, 0, 1) : family.Epsilon),
            Activation = ReadActivation(vision, family),
            IsGated = family.IsGated,
            PatchBias = family.PatchBias,
            HasBiases = family.HasBiases,
            HasClassToken = family.HasClassToken,
            EmbeddingNorm = family.EmbeddingNorm,
            HasLayerScale = family.HasLayerScale,
            HasFinalNorm = family.HasFinalNorm,
            Connector = family.Connector,
            ConnectorSize = family.Connector == ConnectorKind.GatedMerger ? vision.Dimension("intermediate_size") : 0,
            ConnectorEpsilon = family.Connector switch
            {
                ConnectorKind.NormedConcat or ConnectorKind.GatedMerger => 1e-5f,
                ConnectorKind.Pooled => (float)vision.Number("layer_norm_eps", 1e-6, 0, 1),
                ConnectorKind.MergedTwoLinear => (float)text.Number("rms_norm_eps", 1e-5, 0, 1),
                _ => 1e-6f,
            },
            ConnectorBias = family.Connector is not (ConnectorKind.TwoLinear or ConnectorKind.MergedTwoLinear)
                || root.Bool("multimodal_projector_bias", family.Connector == ConnectorKind.TwoLinear),
            HasNewline = family.HasNewline,
            MostTilesOfTokens = family.HasNewline ? ReadMostTiles(root) : 0,
            WindowBlocks = family.HasWindows ? ReadWindow(vision, patch * merge) : 0,
            FullAttentionLayers = family.HasWindows ? ReadLayers(vision, "fullatt_block_indexes", layers) : [],
            PositionSide = !family.HasPositionTable ? 0 : family.Positions == PositionKind.Bilinear ? ReadPositionSide(vision, width) : side,
            Positions = family.Positions,
            Rope = family.Rope,
            DeepstackLayers = family.HasDeepstack ? ReadLayers(vision, "deepstack_visual_indexes", layers) : [],
            RopeTheta = ReadTheta(vision),
        };
        if ((long)config.MergedWidth * config.ConnectorWidth > int.MaxValue || (long)side * side * width > int.MaxValue)
            throw new InvalidModelException(root.File, vision.Field(family.WidthField), $"a width of {width} with blocks of {merge} x {merge} patches is not possible");
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

    /// <summary>A number, or two equal ones.</summary>
    private static int? Side(ConfigSection vision, string field, int most)
    {
        if (!vision.Has(field))
            return null;
        IReadOnlyList<int> sides = vision.Integers(field, 2);
        return sides.Count > 0 && sides.All(s => s == sides[0] && s >= 1 && s <= most)
            ? sides[0]
            : throw new InvalidModelException(vision.File, vision.Field(field), $"expected one side, or two equal ones, from 1 to {most}, found {string.Join(", ", sides)}");
    }

    private static int ReadMerge(ConfigSection root, ConfigSection vision, VisionFamily family, int side)
    {
        switch (family.Connector)
        {
            case ConnectorKind.NormedConcat:
                double ratio = root.Number("downsample_ratio", 0.5, 0.05, 1);
                return (int)Math.Round(1 / ratio);
            case ConnectorKind.Linear:
                return root.OptionalDimension("scale_factor", 16) ?? 2;
            case ConnectorKind.MergedTwoLinear:
                return root.OptionalDimension("spatial_merge_size", 16) ?? 2;
            case ConnectorKind.TwoLinear:
                return 1;
            case ConnectorKind.Pooled:
                int tokens = root.Dimension("mm_tokens_per_image", 1 << 20), tokenSide = (int)Math.Sqrt(tokens);
                return tokenSide * tokenSide == tokens && side % tokenSide == 0
                    ? side / tokenSide
                    : throw new InvalidModelException(root.File, "mm_tokens_per_image", $"{tokens} tokens do not come of {side} x {side} patches");
            default:
                return vision.OptionalDimension("spatial_merge_size", 8) ?? 2;
        }
    }

    /// <summary>The blocks that features need: those up to the layer that config.json takes them from.</summary>
    private static int ReadLayerCount(ConfigSection root, VisionFamily family, int layers)
    {
        if (family.HasClassToken && root.String("vision_feature_select_strategy") is { } strategy and not "default")
            throw new UnsupportedException($"vision_feature_select_strategy '{strategy}' ({root.File})", "supported is default, without the row before the patches");
        if (family.Layout is ImageLayoutKind.Idefics or ImageLayoutKind.Gemma3)
            return layers;
        int whenAbsent = family.ModelType is "llava" or "llava_next" ? -2 : -1;
        IReadOnlyList<int> chosen = root.Has("vision_feature_layer") ? root.Integers("vision_feature_layer") : [whenAbsent];
        if (chosen.Count != 1)
            throw new UnsupportedException($"Features of {chosen.Count} layers of a vision tower ({root.File})", "supported are those of one");
        int count = chosen[0] < 0 ? layers + 1 + chosen[0] : chosen[0];
        return count >= 1 && count <= layers
            ? count
            : throw new InvalidModelException(root.File, "vision_feature_layer", $"{chosen[0]} is none of {layers} layers");
    }

    private static int ReadMostTiles(ConfigSection root)
    {
        const string Prefix = "anyres_max_";
        if (root.String("vision_aspect_ratio") is not { } ratio || !ratio.StartsWith(Prefix, StringComparison.Ordinal))
            return 0;
        return int.TryParse(ratio.AsSpan(Prefix.Length), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int most) && most > 0
            ? most
            : throw new InvalidModelException(root.File, "vision_aspect_ratio", $"expected {Prefix} and a number, found {ratio}");
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
