using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>
/// Prepares images for one model: resize, rescale, normalise, cut into patches. Thread-safe and without state between calls.
/// </summary>
internal interface IImageProcessor
{
    /// <summary>The settings that it follows.</summary>
    ImageProcessorConfig Config { get; }

    /// <summary>The size to which an image is resized, and the tokens it takes: known without touching pixels.</summary>
    /// <exception cref="InvalidInputException">The model cannot take an image of this size.</exception>
    (int Height, int Width, int Tokens) Plan(int height, int width);

    /// <summary>Prepares an image.</summary>
    /// <exception cref="InvalidInputException">The model cannot take an image of this size.</exception>
    ProcessedImage Process(RgbImage image, CancellationToken cancellationToken = default);
}
