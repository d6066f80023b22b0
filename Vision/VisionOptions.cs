using Portable.Vision.Images;

namespace Portable.Vision;

/// <summary>How images are looked at. What is left null comes from the model's own files.</summary>
public sealed class VisionOptions
{
    /// <summary>
    /// Bytes of image features that each model keeps on its device, so that a further question about an image does not
    /// run the tower again; the least recently used go first. Features of the prompt being worked on are kept beyond
    /// this bound for as long as it takes. 0 keeps none. Default 256 MiB.
    /// </summary>
    public long FeatureCacheBytes { get; set; } = 256L << 20;

    /// <summary>
    /// Pixels, after resizing, of the largest image that memory is planned for when a model is loaded. A larger one
    /// (<see cref="MaxPixels"/> alone bounds it) takes what the memory budget has left then, and fails with
    /// <see cref="DeviceOutOfMemoryException"/> before any work when that is too little. Default 1920 x 1088.
    /// </summary>
    public long PlannedPixels { get; set; } = 1920 * 1088;

    /// <summary>Least pixels of an image: smaller ones are enlarged. Null takes the model's own value.</summary>
    public long? MinPixels { get; set; }

    /// <summary>
    /// Most pixels of an image: larger ones are made smaller, which takes fewer tokens and less time and shows the model
    /// less. Null takes the model's own value.
    /// </summary>
    public long? MaxPixels { get; set; }

    /// <summary>Caps on encoded images, checked before memory for pixels is allocated.</summary>
    public ImageLimits Limits { get; set; } = ImageLimits.Default;

    /// <summary>What is wrong with the options, as one sentence; null when nothing is.</summary>
    internal string? Problem() =>
        FeatureCacheBytes < 0 ? $"VisionOptions.FeatureCacheBytes must not be negative, found {FeatureCacheBytes}."
        : PlannedPixels < 1 ? $"VisionOptions.PlannedPixels must be positive, found {PlannedPixels}."
        : MinPixels < 1 || MaxPixels < 1 ? "VisionOptions.MinPixels and MaxPixels must be positive."
        : MinPixels > MaxPixels ? $"VisionOptions.MinPixels, {MinPixels}, is more than MaxPixels, {MaxPixels}."
        : Limits is null ? "VisionOptions.Limits is null."
        : null;
}
