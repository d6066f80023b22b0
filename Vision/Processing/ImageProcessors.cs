namespace Portable.Vision.Processing;

/// <summary>Chooses the image processor of a checkpoint by the name in its settings.</summary>
internal static class ImageProcessors
{
    /// <summary>Creates the processor.</summary>
    /// <exception cref="UnsupportedException">No processor of that name is built in.</exception>
    /// <exception cref="InvalidModelException">The settings contradict themselves.</exception>
    public static IImageProcessor Create(ImageProcessorConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        string type = config.ImageProcessorType
            ?? throw new InvalidModelException(config.Source, "image_processor_type", "absent, and it decides how images are prepared");

        return Plain(type) switch
        {
            "Qwen2VLImageProcessor" or "Qwen2_5_VLImageProcessor" or "Qwen3VLImageProcessor" or "Glm4vImageProcessor" => new QwenImageProcessor(config),
            _ => throw Unknown(type),
        };
    }

    /// <summary>Creates a processor that cuts tiles; null where the settings name one that does not.</summary>
    /// <param name="config">The settings.</param>
    /// <param name="mostPixels">Most pixels of all tiles of an image together, where a family can do with fewer; null for what the settings say.</param>
    /// <exception cref="InvalidModelException">The settings contradict themselves.</exception>
    public static TileProcessor? CreateTiles(ImageProcessorConfig config, long? mostPixels = null) => Plain(config.ImageProcessorType) switch
    {
        "GotOcr2ImageProcessor" or "InternVLImageProcessor" => new InternVlProcessor(config, mostPixels),
        "Idefics3ImageProcessor" or "SmolVLMImageProcessor" => new IdeficsProcessor(config, mostPixels),
        "LlavaNextImageProcessor" or "LlavaOnevisionImageProcessor" => new LlavaProcessor(config, mostPixels),
        "Gemma3ImageProcessor" => new Gemma3Processor(config),
        "PixtralImageProcessor" => new PixtralProcessor(config, mostPixels),
        "MiniCPMV4_6ImageProcessor" => new MiniCpmProcessor(config),
        _ => null,
    };

    /// <summary>The name without what only names another implementation with the same results.</summary>
    internal static string? Plain(string? type) => type is null ? null
        : type.EndsWith("Fast", StringComparison.Ordinal) ? type[..^4]
        : type.EndsWith("Pil", StringComparison.Ordinal) ? type[..^3]
        : type;

    /// <summary>The error for a name that no processor has.</summary>
    public static UnsupportedException Unknown(string? type) => new(
        $"image processor '{type}'", "built in are those of Qwen2-VL to Qwen3.5, GLM-4V, InternVL, Idefics-3 and SmolVLM, LLaVA-NeXT and OneVision, Gemma-3, Pixtral and Mistral-3");
}
