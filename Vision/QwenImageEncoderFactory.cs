using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Architecture;
using Portable.Vision.Images;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Vision;

/// <summary>
/// Gives Qwen2-VL, Qwen2.5-VL and Qwen3-VL checkpoints their eyes. AddVision registers it; without a service container
/// hand it to <see cref="PortableModel.LoadAsync"/>. Thread-safe.
/// </summary>
public sealed class QwenImageEncoderFactory : IImageEncoderFactory
{
    private readonly IImageDecoder _decoder;
    private readonly VisionOptions _options;

    /// <summary>Creates the factory.</summary>
    /// <param name="decoder">Reads image files; null takes <see cref="SkiaImageDecoder"/>.</param>
    /// <param name="options">How images are looked at; null takes the defaults. Not to be changed afterwards.</param>
    /// <exception cref="InvalidInputException">The options are out of range or contradict each other.</exception>
    public QwenImageEncoderFactory(IImageDecoder? decoder = null, VisionOptions? options = null)
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
        if (checkpoint.Config is not { } json)
            return null;
        ConfigSection root = ConfigSection.Root(Path.Combine(checkpoint.Path, "config.json"), json);
        if (root.String("model_type") is not { } modelType || VisionFamily.OfModelType(modelType) is not { } family)
            return null;

        VisionTowerConfig config = VisionTowerReader.Read(root, family);
        int placeholder = root.Dimension("image_token_id");
        int vocabulary = (root.Section("text_config") ?? root).Dimension("vocab_size");
        if (placeholder >= vocabulary)
            throw new InvalidModelException(root.File, "image_token_id", $"{placeholder} is outside the vocabulary of {vocabulary}");
        string prefix = VisionTensors.Prefixes.FirstOrDefault(p => checkpoint.HasMatrix(p + family.Tensors.PatchEmbedding))
            ?? throw new InvalidModelException(
                checkpoint.Path, VisionTensors.Prefixes[0] + family.Tensors.PatchEmbedding + ".weight", "the vision tower's first tensor is missing under every known prefix");
        ImageProcessorConfig settings = Settings(checkpoint, config);
        return new QwenImageEncoderDescription(
            checkpoint, prefix, family.Tensors, config, ImageProcessors.Create(settings), _decoder, _options, placeholder, PlannedPatches(settings, config));
    }

    /// <summary>The processor's settings with the options' bounds, checked against the tower.</summary>
    private ImageProcessorConfig Settings(Checkpoint checkpoint, VisionTowerConfig config)
    {
        ImageProcessorConfig settings = ImageProcessorConfig.Read(checkpoint.Path)
            ?? throw new InvalidModelException(checkpoint.Path, "preprocessor_config.json", "the file is missing, and it decides how images are prepared");
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

    private int PlannedPatches(ImageProcessorConfig settings, VisionTowerConfig config)
    {
        long blockPixels = (long)config.PatchSize * config.MergeSize * config.PatchSize * config.MergeSize;
        long blocks = Math.Max(1, Math.Min(_options.PlannedPixels, settings.MaxPixels!.Value) / blockPixels);
        return (int)Math.Min(blocks * config.BlockPatches, 1 << 20);
    }
}
