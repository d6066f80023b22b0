namespace Portable.Vision.Images;

/// <summary>Recognises image files by their first bytes; names and media types are not trusted.</summary>
internal static class ImageFormats
{
    /// <summary>The format of a file.</summary>
    /// <exception cref="UnsupportedException">An image format that is not on the list.</exception>
    /// <exception cref="InvalidInputException">Not an image.</exception>
    public static ImageFormat Recognise(in ImageFile file)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        if (bytes.StartsWith(PngReader.Signature))
            return ImageFormat.Png;
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
            return ImageFormat.Jpeg;
        if (bytes.StartsWith("GIF87a"u8) || bytes.StartsWith("GIF89a"u8))
            return ImageFormat.Gif;
        if (bytes.StartsWith("RIFF"u8) && bytes.Length >= 12 && bytes[8..].StartsWith("WEBP"u8))
            return ImageFormat.Webp;
        if (bytes.StartsWith("BM"u8))
            return ImageFormat.Bmp;
        if (Foreign(bytes) is { } name)
            throw new UnsupportedException($"image format {name}", $"{file.Options.Name} must be PNG, JPEG, WebP, GIF or BMP; convert it, or plug in a decoder of your own");
        throw file.Broken(bytes.IsEmpty
            ? "the file is empty"
            : "not an image in a known format; expected PNG, JPEG, WebP, GIF or BMP");
    }

    private static string? Foreign(ReadOnlySpan<byte> bytes)
    {
        if (bytes.StartsWith("II*\0"u8) || bytes.StartsWith("MM\0*"u8))
            return "TIFF";
        if (bytes.Length >= 12 && bytes[4..].StartsWith("ftyp"u8))
        {
            ReadOnlySpan<byte> brand = bytes.Slice(8, 4);
            return brand.SequenceEqual("avif"u8) || brand.SequenceEqual("avis"u8) ? "AVIF"
                : brand.StartsWith("hei"u8) || brand.StartsWith("hev"u8) || brand.SequenceEqual("mif1"u8) ? "HEIF"
                : null;
        }

        if (bytes.StartsWith((ReadOnlySpan<byte>)[0, 0, 0, 12, (byte)'J', (byte)'X', (byte)'L', (byte)' ']) || bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x0A]))
            return "JPEG XL";
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0, 0, 0, 12, (byte)'j', (byte)'P']))
            return "JPEG 2000";
        if (bytes.StartsWith("8BPS"u8))
            return "PSD";
        return bytes.StartsWith((ReadOnlySpan<byte>)[0, 0, 1, 0]) ? "ICO" : null;
    }
}
