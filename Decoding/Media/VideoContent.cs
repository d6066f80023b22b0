using Microsoft.Extensions.AI;

namespace Portable.Decoding;

/// <summary>
/// A video in a message, as frames. Models that know videos see them in pairs, each with its time. Immutable; the bytes are not copied and must not be
/// changed.
/// </summary>
public sealed class VideoContent : AIContent
{
    private VideoContent(IReadOnlyList<ReadOnlyMemory<byte>> frames, double framesPerSecond, ReadOnlyMemory<byte>? animation)
    {
        Frames = frames;
        FramesPerSecond = framesPerSecond;
        Animation = animation;
    }

    /// <summary>Creates a video of frames taken already, all of them shown to the model.</summary>
    /// <param name="frames">Image files, in order.</param>
    /// <param name="framesPerSecond">How many of them are shown in a second.</param>
    /// <exception cref="ArgumentException">There are no frames, or the rate is not a positive number.</exception>
    public VideoContent(IReadOnlyList<ReadOnlyMemory<byte>> frames, double framesPerSecond = 2) : this(frames, framesPerSecond, null)
    {
        ArgumentNullException.ThrowIfNull(frames);
        if (frames.Count == 0)
            throw new ArgumentException("a video needs at least one frame", nameof(frames));
        if (!(framesPerSecond > 0 && double.IsFinite(framesPerSecond)))
            throw new ArgumentException($"{framesPerSecond} frames in a second", nameof(framesPerSecond));
    }

    /// <summary>Image files in order; empty where the video is an animation.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Frames { get; }

    /// <summary>How many frames are shown in a second.</summary>
    public double FramesPerSecond { get; }

    /// <summary>An animated GIF or WebP file, from which frames are taken as the model likes them; null where there are frames.</summary>
    public ReadOnlyMemory<byte>? Animation { get; }

    /// <summary>Creates a video of an animated GIF or WebP file.</summary>
    public static VideoContent FromAnimation(ReadOnlyMemory<byte> file) => new([], 0, file);
}
