namespace Portable.Vision.Images;

/// <summary>The formats that the built-in decoder reads.</summary>
internal enum ImageFormat
{
    Png,
    Jpeg,
    Webp,
    Gif,
    Bmp,
}
