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

    /// <summary>Decodes some frames of an animation; an image that is none has one frame.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="sample">Of the number of frames and the length in seconds, which frames are wanted, ascending.</param>
    /// <param name="options">Limits, transparency; null for the defaults.</param>
    /// <exception cref="InvalidInputException">The file is broken, truncated or beyond a limit.</exception>
    /// <exception cref="UnsupportedException">The format is known, but this decoder does not read its animations.</exception>
    AnimationFrames DecodeAnimation(ReadOnlyMemory<byte> file, Func<int, double, int[]> sample, ImageDecodeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(sample);
        return new([Decode(file, options)], 1);
    }
}

/// <summary>Frames of an animation.</summary>
/// <param name="Frames">The frames that were wanted.</param>
/// <param name="FramesPerSecond">How many of them are shown in a second.</param>
public sealed record AnimationFrames(IReadOnlyList<RgbImage> Frames, double FramesPerSecond);
