using Portable.Vision.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.Memory;
using SixLabors.ImageSharp.PixelFormats;

namespace Portable.Vision;

/// <summary>
/// Reads JPEG, WebP and BMP with SixLabors.ImageSharp 2.1, and PNG and GIF as the built-in decoder does, because only so are their values exactly
/// those of Pillow; animated WebP too, which 2.1 does not know. Flaws with crafted images are reported for that line of ImageSharp: see the package's README. Thread-safe, without state.
/// </summary>
public sealed class ImageSharpImageDecoder : Images.IImageDecoder
{
    private static readonly SkiaImageDecoder s_own = new();

    // Not the shared configuration: nothing that an application sets there changes what is read, and memory is not pooled for later.
    private static readonly Configuration s_configuration = new(new JpegConfigurationModule(), new WebpConfigurationModule(), new BmpConfigurationModule())
    {
        MemoryAllocator = new SimpleGcMemoryAllocator(), MaxDegreeOfParallelism = 1,
    };

    /// <inheritdoc/>
    public RgbImage Decode(ReadOnlyMemory<byte> file, ImageDecodeOptions? options = null)
    {
        options ??= ImageDecodeOptions.Default;
        var source = new ImageFile(file, options);
        if (file.Length > options.Limits.MaxFileBytes)
            throw source.Broken($"{file.Length} bytes, and the limit is {options.Limits.MaxFileBytes}");
        ImageFormat format = ImageFormats.Recognise(source);
        if (format is ImageFormat.Png or ImageFormat.Gif || IsAnimated(file.Span))
            return s_own.Decode(file, options);
        try
        {
            return Decode(source, format);
        }
        catch (Exception error) when (error is not (PortableException or OutOfMemoryException))
        {
            // The library throws many kinds for crafted files; none may leave as it is.
            throw source.Broken($"the {format} is broken or truncated ({error.Message.Split('\n')[0].TrimEnd('.')})", error);
        }
    }

    /// <inheritdoc/>
    public AnimationFrames DecodeAnimation(ReadOnlyMemory<byte> file, Func<int, double, int[]> sample, ImageDecodeOptions? options = null) =>
        s_own.DecodeAnimation(file, sample, options);

    private static bool IsAnimated(ReadOnlySpan<byte> file) =>
        file.Length > 20 && file.StartsWith("RIFF"u8) && file[12..].StartsWith("VP8X"u8) && (file[20] & 2) != 0;

    private static MemoryStream Stream(ReadOnlyMemory<byte> bytes) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(bytes, out ArraySegment<byte> array)
            ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
            : new MemoryStream(bytes.ToArray(), writable: false);

    private static RgbImage Decode(in ImageFile source, ImageFormat format)
    {
        if (format == ImageFormat.Bmp && (source.Span.Length < 14 || System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(source.Span[10..]) >= source.Span.Length))
            throw source.Broken("the BMP's pixels lie outside the file");
        IImageInfo info = Image.Identify(s_configuration, Stream(source.Bytes)) ?? throw source.Broken($"the {format} header is broken or truncated");
        source.CheckSize(info.Width, info.Height, bytesPerPixel: format == ImageFormat.Webp ? 12 : 9);
        SixLabors.ImageSharp.Formats.IImageDecoder decoder = format switch
        {
            ImageFormat.Jpeg => new JpegDecoder { IgnoreMetadata = true },
            ImageFormat.Webp => new WebpDecoder { IgnoreMetadata = true },
            _ => new BmpDecoder(),
        };
        using Image<Rgba32> image = Image.Load<Rgba32>(s_configuration, source.Span, decoder);
        byte[] pixels = GC.AllocateUninitializedArray<byte>(image.Width * image.Height * 3);
        AlphaHandling alpha = format == ImageFormat.Webp ? source.Options.Alpha : AlphaHandling.Drop;
        image.ProcessPixelRows(rows =>
        {
            for (int y = 0; y < rows.Height; y++)
            {
                AlphaOverWhite.ToRgb(
                    System.Runtime.InteropServices.MemoryMarshal.AsBytes(rows.GetRowSpan(y)), pixels.AsSpan(y * rows.Width * 3, rows.Width * 3), alpha);
            }
        });
        var decoded = new RgbImage(image.Width, image.Height, pixels);
        return source.Options.ApplyOrientation ? ExifOrientation.Apply(decoded, Orientation(source.Span, format)) : decoded;
    }

    /// <summary>The orientation in the file's EXIF part; the library's own reader does not survive crafted ones.</summary>
    private static int Orientation(ReadOnlySpan<byte> file, ImageFormat format)
    {
        if (format == ImageFormat.Webp)
        {
            for (long at = 12; at + 8 <= file.Length;)
            {
                ReadOnlySpan<byte> chunk = file[(int)at..];
                uint length = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
                if (chunk.StartsWith("EXIF"u8) && length <= chunk.Length - 8)
                    return Read(chunk.Slice(8, (int)length));
                at += 8L + length + (length & 1);
            }
        }

        for (int at = 2; format == ImageFormat.Jpeg && at + 4 <= file.Length && file[at] == 0xFF;)
        {
            byte marker = file[at + 1];
            int length = System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
            if (marker == 0xDA || length < 2 || length > file.Length - at - 2)
                break;
            ReadOnlySpan<byte> segment = file.Slice(at + 4, length - 2);
            if (marker == 0xE1 && segment.StartsWith("Exif\0\0"u8))
                return Read(segment[6..]);
            at += 2 + length;
        }

        return 1;

        static int Read(ReadOnlySpan<byte> exif) => ExifOrientation.Read(exif.StartsWith("Exif\0\0"u8) ? exif[6..] : exif) is >= 1 and <= 8 and int found ? found : 1;
    }
}
