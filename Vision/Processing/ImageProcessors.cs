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

        // "Fast" and "Pil" name implementations of one processor, not other results.
        string name = type.EndsWith("Fast", StringComparison.Ordinal) ? type[..^4]
            : type.EndsWith("Pil", StringComparison.Ordinal) ? type[..^3]
            : type;
        return name switch
        {
            "Qwen2VLImageProcessor" or "Qwen2_5_VLImageProcessor" or "Qwen3VLImageProcessor" => new QwenImageProcessor(config),
            _ => throw new UnsupportedException($"image processor '{type}'", "built in are the processors of Qwen2-VL, Qwen2.5-VL and Qwen3-VL"),
        };
    }
}
