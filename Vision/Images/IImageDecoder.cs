namespace Portable.Vision.Images;

/// <summary>
/// Turns the bytes of an image file into RGB pixels. Replace it to read formats that the built-in
/// <see cref="SkiaImageDecoder"/> does not. Implementations are thread-safe and treat every byte as hostile.
/// </summary>
public interface IImageDecoder
{
    /// <summary>Decodes the first frame of an image.</summary>
    /// <param name="file">The whole file; its content, not its name, decides the format.</param>
    /// <param name="options">Limits, transparency, orientation; null for the defaults.</param>
    /// <returns>The pixels, owned by the caller.</returns>
    /// <exception cref="InvalidInputException">The file is broken, truncated or beyond a limit.</exception>
    /// <exception cref="UnsupportedException">The format is known, but this decoder does not read it.</exception>
    RgbImage Decode(ReadOnlyMemory<byte> file, ImageDecodeOptions? options = null);
}
