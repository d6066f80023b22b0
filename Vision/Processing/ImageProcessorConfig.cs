using System.Text.Json;
using Portable.Checkpoints;

namespace Portable.Vision.Processing;

/// <summary>
/// The settings of an image processor as Hugging Face checkpoints store them, in <c>preprocessor_config.json</c> or in
/// the <c>image_processor</c> object of <c>processor_config.json</c>. A key that is absent is null; the processor of the
/// named type supplies its default.
/// </summary>
internal sealed record ImageProcessorConfig
{
    private const long MostBytes = 16 << 20;

    /// <summary>The file that the settings were read from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>Key <c>image_processor_type</c>: the class that the checkpoint was made with.</summary>
    public string? ImageProcessorType { get; init; }

    /// <summary>Key <c>do_convert_rgb</c>.</summary>
    public bool? DoConvertRgb { get; init; }

    /// <summary>Key <c>do_resize</c>.</summary>
    public bool? DoResize { get; init; }

    /// <summary>Key <c>resample</c>.</summary>
    public ResampleFilter? Resample { get; init; }

    /// <summary>Key <c>size</c>; its meaning depends on the processor type.</summary>
    public ImageSizeConfig? Size { get; init; }

    /// <summary>Key <c>min_pixels</c>.</summary>
    public long? MinPixels { get; init; }

    /// <summary>Key <c>max_pixels</c>.</summary>
    public long? MaxPixels { get; init; }

    /// <summary>Key <c>do_center_crop</c>.</summary>
    public bool? DoCenterCrop { get; init; }

    /// <summary>Key <c>crop_size</c>.</summary>
    public ImageSizeConfig? CropSize { get; init; }

    /// <summary>Key <c>do_rescale</c>.</summary>
    public bool? DoRescale { get; init; }

    /// <summary>Key <c>rescale_factor</c>.</summary>
    public double? RescaleFactor { get; init; }

    /// <summary>Key <c>do_normalize</c>.</summary>
    public bool? DoNormalize { get; init; }

    /// <summary>Key <c>image_mean</c>: three values, or one for all channels.</summary>
    public IReadOnlyList<double>? ImageMean { get; init; }

    /// <summary>Key <c>image_std</c>: three values, or one for all channels.</summary>
    public IReadOnlyList<double>? ImageStd { get; init; }

    /// <summary>Key <c>patch_size</c>, in pixels.</summary>
    public int? PatchSize { get; init; }

    /// <summary>Key <c>temporal_patch_size</c>, in frames.</summary>
    public int? TemporalPatchSize { get; init; }

    /// <summary>Key <c>merge_size</c>, in patches.</summary>
    public int? MergeSize { get; init; }

    /// <summary>Key <c>do_pad</c>.</summary>
    public bool? DoPad { get; init; }

    /// <summary>Key <c>do_image_splitting</c>.</summary>
    public bool? DoImageSplitting { get; init; }

    /// <summary>Key <c>max_image_size</c>.</summary>
    public ImageSizeConfig? MaxImageSize { get; init; }

    /// <summary>Key <c>crop_to_patches</c>.</summary>
    public bool? CropToPatches { get; init; }

    /// <summary>Key <c>min_patches</c>.</summary>
    public int? MinPatches { get; init; }

    /// <summary>Key <c>max_patches</c>.</summary>
    public int? MaxPatches { get; init; }

    /// <summary>Key <c>do_pan_and_scan</c>.</summary>
    public bool? DoPanAndScan { get; init; }

    /// <summary>Key <c>pan_and_scan_min_crop_size</c>, in pixels.</summary>
    public int? PanAndScanMinCropSize { get; init; }

    /// <summary>Key <c>pan_and_scan_max_num_crops</c>.</summary>
    public int? PanAndScanMaxNumCrops { get; init; }

    /// <summary>Key <c>pan_and_scan_min_ratio_to_activate</c>.</summary>
    public double? PanAndScanMinRatioToActivate { get; init; }

    /// <summary>Key <c>fps</c>: frames that are taken of each second.</summary>
    public double? FramesPerSecond { get; init; }

    /// <summary>Key <c>min_frames</c>.</summary>
    public int? MinFrames { get; init; }

    /// <summary>Key <c>max_frames</c>.</summary>
    public int? MaxFrames { get; init; }

    /// <summary>Key <c>scale_resolution</c>, in pixels.</summary>
    public int? ScaleResolution { get; init; }

    /// <summary>Key <c>max_slice_nums</c>.</summary>
    public int? MaxSlices { get; init; }

    /// <summary>Key <c>image_grid_pinpoints</c>: heights and widths.</summary>
    public IReadOnlyList<(int Height, int Width)>? ImageGridPinpoints { get; init; }

    /// <summary>Reads the settings of a checkpoint.</summary>
    /// <returns>The settings; null where it has neither file, or a processor file without an image processor.</returns>
    /// <exception cref="InvalidModelException">A file is not JSON, or a value is of the wrong kind or out of range.</exception>
    public static ImageProcessorConfig? Read(Checkpoint checkpoint) => Read(checkpoint.Path, FilesOf(checkpoint), "preprocessor_config.json", "image_processor");

    /// <summary>As <see cref="Read(Checkpoint)"/>, for a folder that need not hold weights.</summary>
    public static ImageProcessorConfig? Read(string folder) => Read(folder, FilesOf(folder), "preprocessor_config.json", "image_processor");

    /// <summary>Reads the settings of videos of a checkpoint.</summary>
    /// <returns>The settings; null where it has none.</returns>
    /// <exception cref="InvalidModelException">A file is not JSON, or a value is of the wrong kind or out of range.</exception>
    public static ImageProcessorConfig? ReadVideo(Checkpoint checkpoint) => Read(checkpoint.Path, FilesOf(checkpoint), "video_preprocessor_config.json", "video_processor");

    /// <summary>As <see cref="ReadVideo(Checkpoint)"/>, for a folder that need not hold weights.</summary>
    public static ImageProcessorConfig? ReadVideo(string folder) => Read(folder, FilesOf(folder), "video_preprocessor_config.json", "video_processor");

    /// <summary>Reads the settings from JSON text in UTF-8.</summary>
    /// <param name="json">The text of either file.</param>
    /// <param name="source">How errors name it.</param>
    /// <param name="inner">The object of a processor file that is wanted.</param>
    /// <returns>The settings; null for a processor file without an image processor.</returns>
    /// <exception cref="InvalidModelException">The text is not JSON, or a value is of the wrong kind or out of range.</exception>
    public static ImageProcessorConfig? Parse(ReadOnlyMemory<byte> json, string source, string inner = "image_processor")
    {
        if (json.Span.StartsWith("\uFEFF"u8))
            json = json[3..];
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw new InvalidModelException(source, null, "expected a JSON object");
            if (root.TryGetProperty(inner, out JsonElement own))
                return own.ValueKind == JsonValueKind.Object ? Read(new ImageProcessorJson(source, own)) : null;
            bool holdsOtherProcessors = root.TryGetProperty("video_processor", out _) || root.TryGetProperty("feature_extractor", out _);
            return holdsOtherProcessors && !root.TryGetProperty("image_processor_type", out _)
                ? null
                : Read(new ImageProcessorJson(source, root));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // Text that is no Unicode is found only when it is read, and then not called an error of the JSON.
            throw new InvalidModelException(source, null, $"not valid JSON ({error.Message.TrimEnd('.')})", error);
        }
    }

    private static Func<string, byte[]?> FilesOf(Checkpoint checkpoint) => name => !checkpoint.TryReadFile(name, out byte[]? bytes) ? null
        : bytes.Length <= MostBytes ? bytes
        : throw new InvalidModelException(Path.Combine(checkpoint.Path, name), null, $"the file has {bytes.Length:N0} bytes, at most {MostBytes:N0} are read");

    private static Func<string, byte[]?> FilesOf(string folder) => name => ModelFolder.TryRead(Path.Combine(folder, name), MostBytes);

    /// <summary>Settings from a file of their own, else from the one for all processors.</summary>
    private static ImageProcessorConfig? Read(string folder, Func<string, byte[]?> file, string own, string inner)
    {
        const string All = "processor_config.json";
        if (file(own) is { } settings)
            return Parse(settings, Path.Combine(folder, own));
        return file(All) is { } all ? Parse(all, Path.Combine(folder, All), inner) : null;
    }

    private static ImageProcessorConfig Read(ImageProcessorJson json) => new()
    {
        Source = json.Source,
        ImageProcessorType = json.Text("image_processor_type") ?? json.Text("feature_extractor_type"),
        DoConvertRgb = json.Flag("do_convert_rgb"),
        DoResize = json.Flag("do_resize"),
        Resample = (ResampleFilter?)json.Int("resample", 0, 5),
        Size = json.Size("size"),
        MinPixels = json.Long("min_pixels", 1, long.MaxValue),
        MaxPixels = json.Long("max_pixels", 1, long.MaxValue),
        DoCenterCrop = json.Flag("do_center_crop"),
        CropSize = json.Size("crop_size"),
        DoRescale = json.Flag("do_rescale"),
        RescaleFactor = json.Number("rescale_factor"),
        DoNormalize = json.Flag("do_normalize"),
        ImageMean = json.Channels("image_mean"),
        ImageStd = json.Channels("image_std"),
        PatchSize = json.Side("patch_size"),
        TemporalPatchSize = json.Int("temporal_patch_size", 1, 64),
        MergeSize = json.Int("merge_size", 1, 64),
        DoPad = json.Flag("do_pad"),
        DoImageSplitting = json.Flag("do_image_splitting"),
        MaxImageSize = json.Size("max_image_size"),
        CropToPatches = json.Flag("crop_to_patches"),
        MinPatches = json.Int("min_patches", 1, 4096),
        MaxPatches = json.Int("max_patches", 1, 4096),
        DoPanAndScan = json.Flag("do_pan_and_scan"),
        PanAndScanMinCropSize = json.Int("pan_and_scan_min_crop_size", 1, 1 << 16),
        PanAndScanMaxNumCrops = json.Int("pan_and_scan_max_num_crops", 1, 256),
        PanAndScanMinRatioToActivate = json.Number("pan_and_scan_min_ratio_to_activate"),
        FramesPerSecond = json.Number("fps"),
        MinFrames = json.Int("min_frames", 1, 1 << 16),
        MaxFrames = json.Int("max_frames", 1, 1 << 16),
        ScaleResolution = json.Int("scale_resolution", 14, 1 << 14),
        MaxSlices = json.Int("max_slice_nums", 1, 256),
        ImageGridPinpoints = json.Pinpoints("image_grid_pinpoints"),
    };
}
