using System.Buffers;
using SkiaSharp;

namespace Portable.Vision.Images;

/// <summary>
/// The built-in decoder: PNG, JPEG, WebP, GIF and BMP, recognised by content. PNG and GIF are read here, because only so
/// are their values exactly those of Pillow; Skia decodes JPEG, WebP and BMP. Colour profiles are ignored, as the
/// reference processors ignore them. Of an animation the first frame is read. Thread-safe, without state.
/// </summary>
public sealed class SkiaImageDecoder : IImageDecoder
{
    private const int StripRows = 64;

    /// <inheritdoc/>
    public RgbImage Decode(ReadOnlyMemory<byte> file, ImageDecodeOptions? options = null)
    {
        options ??= ImageDecodeOptions.Default;
        var source = new ImageFile(file, options);
        if (file.Length > options.Limits.MaxFileBytes)
            throw source.Broken($"{file.Length} bytes, and the limit is {options.Limits.MaxFileBytes}");

        (RgbImage image, int orientation) = ImageFormats.Recognise(source) switch
        {
            ImageFormat.Png => PngReader.Read(source),
            ImageFormat.Gif => (GifReader.Read(source), 1),
            ImageFormat format => DecodeNatively(source, format),
        };
        return options.ApplyOrientation ? ExifOrientation.Apply(image, orientation) : image;
    }

    /// <inheritdoc/>
    public unsafe AnimationFrames DecodeAnimation(ReadOnlyMemory<byte> file, Func<int, double, int[]> sample, ImageDecodeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(sample);
        options ??= ImageDecodeOptions.Default;
        var source = new ImageFile(file, options);
        if (file.Length > options.Limits.MaxFileBytes)
            throw source.Broken($"{file.Length} bytes, and the limit is {options.Limits.MaxFileBytes}");
        ImageFormat format = ImageFormats.Recognise(source);
        if (format is not (ImageFormat.Gif or ImageFormat.Webp))
            return new([Decode(file, options)], 1);
        using MemoryHandle pinned = file.Pin();
        using SKData data = SKData.Create((nint)pinned.Pointer, file.Length);
        using SKCodec codec = SKCodec.Create(data) ?? throw source.Broken($"the {format} header is broken or truncated");
        SKCodecFrameInfo[] infos = codec.FrameInfo;
        if (infos.Length <= 1)
            return new([Decode(file, options)], 1);
        // Some files name no times; players show them ten a second.
        double seconds = infos.Sum(i => i.Duration > 0 ? i.Duration : 100) / 1000.0;
        int[] wanted = sample(infos.Length, seconds);
        SKSizeI size = codec.Info.Size;
        source.CheckSize(size.Width, size.Height, bytesPerPixel: 12);
        long bytes = 3L * size.Width * size.Height * wanted.Length;
        if (bytes > options.Limits.MaxDecodedBytes)
            throw source.Broken($"{wanted.Length} frames of {size.Width} x {size.Height} pixels take {bytes} bytes, and the limit is {options.Limits.MaxDecodedBytes}");
        var frames = new List<RgbImage>();
        var info = new SKImageInfo(size.Width, size.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul, null);
        byte[] rgba = new byte[checked(size.Width * size.Height * 4)];
        int shown = -1;
        for (int index = 0; index < infos.Length && frames.Count < wanted.Length; index++)
        {
            // Frames change those before them: each is decoded in turn, onto the last where that is what it changes.
            fixed (byte* to = rgba)
            {
                int prior = infos[index].RequiredFrame == shown ? shown : -1;
                SKCodecResult result = codec.GetPixels(info, (nint)to, size.Width * 4, prior >= 0 ? new SKCodecOptions(index, prior) : new SKCodecOptions(index));
                if (result != SKCodecResult.Success)
                    throw source.Broken($"the {format}'s frame {index + 1} of {infos.Length} is broken or truncated ({result})");
            }

            shown = index;
            for (; frames.Count < wanted.Length && wanted[frames.Count] == index;)
            {
                byte[] pixels = new byte[size.Width * size.Height * 3];
                AlphaOverWhite.ToRgb(rgba, pixels, options.Alpha);
                frames.Add(new RgbImage(size.Width, size.Height, pixels));
            }
        }

        return new(frames, frames.Count / seconds);
    }

    private static (RgbImage Image, int Orientation) DecodeNatively(in ImageFile file, ImageFormat format)
    {
        try
        {
            return DecodeWithSkia(file, format);
        }
        catch (Exception error) when (error is DllNotFoundException or TypeInitializationException)
        {
            throw new UnsupportedException(
                $"image format {format}", $"SkiaSharp's native library cannot be loaded here ({error.GetBaseException().Message.TrimEnd('.')}); add the SkiaSharp.NativeAssets package of this platform");
        }
    }

    private static unsafe (RgbImage Image, int Orientation) DecodeWithSkia(in ImageFile file, ImageFormat format)
    {
        using MemoryHandle pinned = file.Bytes.Pin();
        using SKData data = SKData.Create((nint)pinned.Pointer, file.Bytes.Length);
        using SKCodec? codec = SKCodec.Create(data);
        SKEncodedImageFormat expected = format switch
        {
            ImageFormat.Jpeg => SKEncodedImageFormat.Jpeg,
            ImageFormat.Webp => SKEncodedImageFormat.Webp,
            _ => SKEncodedImageFormat.Bmp,
        };
        if (codec is null || codec.EncodedFormat != expected)
            throw file.Broken($"the {format} header is broken or truncated");

        // Skia's own memory: the coefficients of a progressive JPEG, the planes and pixels of a WebP.
        SKSizeI size = codec.Info.Size;
        file.CheckSize(size.Width, size.Height, bytesPerPixel: format == ImageFormat.Webp ? 12 : 9);
        byte[] pixels = GC.AllocateUninitializedArray<byte>(size.Width * size.Height * 3);

        // No colour space: samples are not converted.
        bool opaque = codec.Info.AlphaType == SKAlphaType.Opaque;
        var info = new SKImageInfo(
            size.Width, size.Height, SKColorType.Rgba8888, opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul, null);
        SKCodecResult result = format == ImageFormat.Jpeg
            ? DecodeStrips(codec, info, pixels)
            : DecodeWhole(codec, info, pixels, file.Options.Alpha);
        if (result != SKCodecResult.Success)
        {
            throw file.Broken(result == SKCodecResult.IncompleteInput
                ? $"truncated: the file ends inside the {format}'s pixel data"
                : $"the {format}'s pixel data is corrupt ({result})");
        }

        return (new RgbImage(size.Width, size.Height, pixels), (int)codec.EncodedOrigin);
    }

    // In strips, a JPEG never exists in memory as RGBA.
    private static unsafe SKCodecResult DecodeStrips(SKCodec codec, SKImageInfo info, byte[] pixels)
    {
        SKCodecResult started = codec.StartScanlineDecode(info);
        if (started != SKCodecResult.Success)
            return started;
        byte[] strip = ArrayPool<byte>.Shared.Rent(info.Width * 4 * StripRows);
        try
        {
            fixed (byte* rgba = strip)
            {
                for (int y = 0; y < info.Height; y += StripRows)
                {
                    int rows = Math.Min(StripRows, info.Height - y);
                    if (codec.GetScanlines((nint)rgba, rows, info.Width * 4) < rows)
                        return SKCodecResult.IncompleteInput;
                    AlphaOverWhite.ToRgb(
                        strip, pixels.AsSpan(y * info.Width * 3, rows * info.Width * 3), AlphaHandling.Drop);
                }
            }

            return SKCodecResult.Success;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(strip);
        }
    }

    private static unsafe SKCodecResult DecodeWhole(SKCodec codec, SKImageInfo info, byte[] pixels, AlphaHandling alpha)
    {
        byte[] rgba = ArrayPool<byte>.Shared.Rent(info.Width * info.Height * 4);
        try
        {
            SKCodecResult result;
            fixed (byte* to = rgba)
                result = codec.GetPixels(info, (nint)to);
            if (result == SKCodecResult.Success)
                AlphaOverWhite.ToRgb(rgba, pixels, info.AlphaType == SKAlphaType.Opaque ? AlphaHandling.Drop : alpha);
            return result;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rgba);
        }
    }
}
