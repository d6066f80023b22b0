using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Architecture;
using Portable.Vision.Images;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Vision;

/// <summary>
/// Gives vision-language checkpoints their eyes: Qwen2-VL to Qwen3.5, GLM-4V, InternVL, Idefics-3 and SmolVLM, LLaVA-NeXT and OneVision, Gemma-3, Pixtral
/// and Mistral-3. AddVision registers it; without a service container
/// hand it to <see cref="PortableModel.LoadAsync"/>. Thread-safe.
/// </summary>
public sealed class ImageEncoderFactory : IImageEncoderFactory
{
    private readonly IImageDecoder _decoder;
    private readonly VisionOptions _options;

    /// <summary>Creates the factory.</summary>
    /// <param name="decoder">Reads image files; null takes <see cref="SkiaImageDecoder"/>.</param>
    /// <param name="options">How images are looked at; null takes the defaults. Not to be changed afterwards.</param>
    /// <exception cref="InvalidInputException">The options are out of range or contradict each other.</exception>
    public ImageEncoderFactory(IImageDecoder? decoder = null, VisionOptions? options = null)
    {
        _decoder = decoder ?? new SkiaImageDecoder();
        _options = options ?? new VisionOptions();
        if (_options.Problem() is { } problem)
            throw new InvalidInputException("vision options", problem.TrimEnd('.'));
    }

    /// <inheritdoc/>
    public IImageEncoderDescription? Describe(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (checkpoint.ProjectorMetadata is not null)
            return DescribeProjector(checkpoint);
        if (checkpoint.Config is not { } json)
            return null;
        ConfigSection root = ConfigSection.Root(Path.Combine(checkpoint.Path, "config.json"), json);
        if (root.String("model_type") is not { } modelType || VisionFamily.OfModelType(modelType) is not { } family)
            return null;

        // A Gemma-3, Mistral-3 or llava configuration may belong to a language model alone.
        if (root.Section("vision_config") is null && family.Layout != ImageLayoutKind.Grid)
            return null;
        VisionTowerConfig config = VisionTowerReader.Read(root, family);
        int vocabulary = (root.Section("text_config") ?? root).Dimension("vocab_size");
        int placeholder = Token(root.Has("image_token_id") ? "image_token_id" : root.Has("image_token_index") ? "image_token_index" : "image_token_id");
        int template = family.TemplateTokenField is { } field ? Token(field) : placeholder;
        string prefix = VisionTensors.Prefixes.FirstOrDefault(p => checkpoint.HasMatrix(p + family.Tensors.PatchEmbedding))
            ?? throw new InvalidModelException(
                checkpoint.Path, VisionTensors.Prefixes[0] + family.Tensors.PatchEmbedding + ".weight", "the vision tower's first tensor is missing under every known prefix");
        ImageProcessorConfig settings = ImageProcessorConfig.Read(checkpoint)
            ?? throw new InvalidModelException(checkpoint.Path, "preprocessor_config.json", "the file is missing, and it decides how images are prepared");
        if (family.Layout == ImageLayoutKind.Grid)
        {
            settings = Settings(settings, config);
            IImageProcessor processor = ImageProcessors.Create(settings);
            return Description((image, cancellation) => processor.Process(image, cancellation), PlannedPatches(settings.MaxPixels!.Value, config));
        }

        TileProcessor tiles = ImageProcessors.CreateTiles(settings, _options.MaxPixels) ?? throw ImageProcessors.Unknown(settings.ImageProcessorType);
        CheckTiles(tiles, family, config);
        return Description(
            (image, cancellation) => tiles.Process(image, config.PatchSize, config.TemporalPatchSize, config.MergeSize, cancellation),
            PlannedPatches(tiles.MostTiles * tiles.MostTilePixels, config, tiles is PixtralProcessor ? 1 : tiles.MostTilePixels));

        int Token(string name)
        {
            int token = root.Dimension(name);
            return token < vocabulary ? token : throw new InvalidModelException(root.File, name, $"{token} is outside the vocabulary of {vocabulary}");
        }

        ImageEncoderDescription Description(Func<RgbImage, CancellationToken, ProcessedImage> process, int planned) => new(
            checkpoint, prefix, family, config, process, _decoder, _options, placeholder, template, ReadVideo(root, family, settings), planned);

        VideoSupport? ReadVideo(ConfigSection top, VisionFamily kind, ImageProcessorConfig images)
        {
            if (kind.Video == VideoKind.None || !top.Has("video_token_id"))
                return null;
            ImageProcessorConfig videos = ImageProcessorConfig.ReadVideo(checkpoint) ?? images;
            return new VideoSupport(
                new VideoProcessor(videos with { PatchSize = config.PatchSize, TemporalPatchSize = config.TemporalPatchSize, MergeSize = config.MergeSize }, kind.Video),
                kind.Video, Token("video_token_id"), top.Section("vision_config")!.Number("tokens_per_second", 2, 0, 1e6));
        }
    }

    /// <inheritdoc/>
    public bool TakesProjector(string architecture) => ProjectorReader.Takes(architecture);

    private ImageEncoderDescription DescribeProjector(Checkpoint checkpoint)
    {
        ProjectorReader.Projector projector = ProjectorReader.Read(checkpoint);
        ImageProcessorConfig settings = Settings(projector.Images, projector.Tower);
        IImageProcessor processor = ImageProcessors.Create(settings);
        return new ImageEncoderDescription(
            checkpoint, "", projector.Family, projector.Tower, processor.Process, _decoder, _options, projector.ImageToken, projector.ImageToken, null,
            PlannedPatches(settings.MaxPixels!.Value, projector.Tower));
    }

    /// <summary>Checks that the tower takes the processor's tiles.</summary>
    private static void CheckTiles(TileProcessor tiles, VisionFamily family, VisionTowerConfig config)
    {
        int token = config.PatchSize * config.MergeSize;
        if (tiles is PixtralProcessor pixtral)
        {
            if (pixtral.TokenSize != token)
                throw new InvalidModelException(tiles.Config.Source, "patch_size", $"expected {token}, the patches that config.json makes one token of, found {pixtral.TokenSize}");
            return;
        }

        long side = (long)config.PositionSide * config.PatchSize;
        bool fits = tiles.MostTilePixels >= side * side && tiles.MostTilePixels < (side + config.PatchSize) * (side + config.PatchSize);
        if (!fits || config.PositionSide % config.MergeSize != 0)
        {
            throw new InvalidModelException(
                tiles.Config.Source, "size", $"a {family.ModelType} tower of {config.PositionSide} x {config.PositionSide} patches of {config.PatchSize} pixels does not take tiles of this size");
        }
    }

    /// <summary>The processor's settings with the options' bounds, checked against the tower.</summary>
    private ImageProcessorConfig Settings(ImageProcessorConfig settings, VisionTowerConfig config)
    {
        Check("patch_size", settings.PatchSize ?? 14, config.PatchSize);
        Check("temporal_patch_size", settings.TemporalPatchSize ?? 2, config.TemporalPatchSize);
        Check("merge_size", settings.MergeSize ?? 2, config.MergeSize);
        (long least, long most) = QwenImageProcessor.PixelBounds(settings);
        least = _options.MinPixels ?? least;
        most = _options.MaxPixels ?? most;
        if (least > most && (_options.MinPixels ?? _options.MaxPixels) is not null)
            throw new InvalidInputException("vision options", $"images of at least {least} and at most {most} pixels; the model's own bound stands where an option is null");
        return settings with { MinPixels = least, MaxPixels = most };

        void Check(string field, int found, int expected)
        {
            if (found != expected)
                throw new InvalidModelException(settings.Source, field, $"expected {expected} as in the vision_config of config.json, found {found}");
        }
    }

    private int PlannedPatches(long mostPixels, VisionTowerConfig config, long leastPixels = 1)
    {
        long blockPixels = (long)config.PatchSize * config.MergeSize * config.PatchSize * config.MergeSize;
        long blocks = Math.Max(1, Math.Min(Math.Max(_options.PlannedPixels, leastPixels), mostPixels) / blockPixels);
        return (int)Math.Min(blocks * config.BlockPatches, 1 << 20);
    }
}
