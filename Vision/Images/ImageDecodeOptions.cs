namespace Portable.Vision.Images;

/// <summary>How an image file becomes RGB.</summary>
public sealed record ImageDecodeOptions
{
    /// <summary>The options used where none are given.</summary>
    public static ImageDecodeOptions Default { get; } = new();

    /// <summary>Caps on the file.</summary>
    public ImageLimits Limits { get; init; } = ImageLimits.Default;

    /// <summary>What becomes of transparency.</summary>
    public AlphaHandling Alpha { get; init; } = AlphaHandling.OverWhite;

    /// <summary>Whether the EXIF orientation turns and mirrors the image. Default true.</summary>
    public bool ApplyOrientation { get; init; } = true;

    /// <summary>How errors name the image: "image 2", a file name. Default "image".</summary>
    public string Name { get; init; } = "image";
}
