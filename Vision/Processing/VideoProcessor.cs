using System.Security.Cryptography;
using System.Runtime.InteropServices;
using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>How a family tells the model about time.</summary>
internal enum VideoKind
{
    /// <summary>It does not know videos.</summary>
    None,

    /// <summary>Pairs of frames count on (Qwen2-VL).</summary>
    Counted,

    /// <summary>Pairs of frames lie as far apart as time says (Qwen2.5-VL).</summary>
    Spaced,

    /// <summary>The seconds of each pair stand before it in the prompt (Qwen3-VL and later).</summary>
    Stamped,
}

/// <summary>
/// Prepares the frames of a video as Qwen's video processors do: all to one size, in pairs. Thread-safe and without state between calls.
/// Source: transformers' Qwen2VLVideoProcessor and Qwen3VLVideoProcessor.
/// </summary>
internal sealed class VideoProcessor
{
    private static readonly double[] ClipMean = [0.48145466, 0.4578275, 0.40821073];
    private static readonly double[] ClipStd = [0.26862954, 0.26130258, 0.27577711];

    private readonly NormalisationTable _normalisation;
    private readonly ResampleFilter _filter;
    private readonly bool _countsFrames;
    private readonly int _patch, _temporal, _merge;
    private readonly long _minPixels, _maxPixels;

    /// <summary>Creates the processor.</summary>
    /// <param name="config">The settings of videos.</param>
    /// <param name="kind">The family's way; <see cref="VideoKind.Stamped"/> bounds the pixels of all frames together, the others those of each.</param>
    public VideoProcessor(ImageProcessorConfig config, VideoKind kind)
    {
        _normalisation = new NormalisationTable(config, ClipMean, ClipStd);
        _filter = config.Resample ?? ResampleFilter.Bicubic;
        _countsFrames = kind == VideoKind.Stamped;
        _patch = config.PatchSize ?? 14;
        _temporal = config.TemporalPatchSize ?? 2;
        _merge = config.MergeSize ?? 2;
        (_minPixels, _maxPixels) = QwenImageProcessor.PixelBounds(config);
        if (_minPixels > _maxPixels)
            throw new InvalidModelException(config.Source, "min_pixels", $"{_minPixels} is more than max_pixels, {_maxPixels}");
        FramesPerSecond = config.FramesPerSecond ?? 2;
        LeastFrames = config.MinFrames ?? 4;
        MostFrames = Math.Max(LeastFrames, config.MaxFrames ?? 768);
    }

    /// <summary>Frames that are taken of each second of an animation.</summary>
    public double FramesPerSecond { get; }

    /// <summary>Least frames of an animation, if it has as many.</summary>
    public int LeastFrames { get; }

    /// <summary>Most frames of a video.</summary>
    public int MostFrames { get; }

    /// <summary>Frames of a patch.</summary>
    public int FramesOfPatch => _temporal;

    /// <summary>Which frames of an animation are taken: evenly spread, the first and the last among them.</summary>
    /// <param name="frames">Frames of the animation.</param>
    /// <param name="seconds">Its length.</param>
    public int[] Sample(int frames, double seconds)
    {
        int count = Math.Min(Math.Clamp((int)(seconds * FramesPerSecond), LeastFrames, MostFrames), frames);
        return [.. Enumerable.Range(0, count).Select(i => count == 1 ? 0 : (int)Math.Round((double)i * (frames - 1) / (count - 1), MidpointRounding.ToEven))];
    }

    /// <summary>The size of all frames.</summary>
    public (int Height, int Width) Target(int frames, int height, int width) => _countsFrames
        ? TileSizes.Glm4v(height, width, frames, _patch * _merge, _minPixels, _maxPixels)
        : SmartResize.Target(height, width, _patch * _merge, _minPixels, _maxPixels);

    /// <summary>Prepares frames of one size; the last is repeated to fill the last pair.</summary>
    /// <exception cref="InvalidInputException">Frames differ in size, are too many, or of a size that the model does not take.</exception>
    public ProcessedImage Process(IReadOnlyList<RgbImage> frames, string name, CancellationToken cancellation)
    {
        if (frames.Count > MostFrames)
            throw new InvalidInputException(name, $"{frames.Count} frames; this model takes at most {MostFrames}");
        if (frames.FirstOrDefault(f => f.Height != frames[0].Height || f.Width != frames[0].Width) is { } other)
            throw new InvalidInputException(name, $"frames of {frames[0].Width} x {frames[0].Height} and of {other.Width} x {other.Height} pixels; a video's frames have one size");
        (int height, int width) = Target(frames.Count, frames[0].Height, frames[0].Width);
        int pairs = (frames.Count + _temporal - 1) / _temporal, rows = height / _patch, columns = width / _patch;
        var cutter = new PatchCutter(_normalisation, _patch, _temporal, _merge);
        long each = (long)rows * columns * cutter.PatchLength;
        if (each * pairs > Array.MaxLength)
            throw new InvalidInputException(name, $"{frames.Count} frames of {width} x {height} pixels make {each * pairs} patch values, more than one array holds");
        float[] values = GC.AllocateUninitializedArray<float>((int)(each * pairs));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(MemoryMarshal.AsBytes<int>([pairs, height, width, _patch, _temporal, _merge]));
        for (int channel = 0; channel < 3; channel++)
            hash.AppendData(MemoryMarshal.AsBytes(_normalisation.Channel(channel)));
        var resized = new RgbImage[_temporal];
        for (int pair = 0; pair < pairs; pair++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int t = 0; t < _temporal; t++)
            {
                resized[t] = Tiling.Resize(frames[Math.Min((pair * _temporal) + t, frames.Count - 1)], height, width, _filter, -1);
                hash.AppendData(resized[t].Pixels);
            }

            cutter.Cut(resized, values.AsMemory((int)(pair * each), (int)each), -1, cancellation);
        }

        return new ProcessedImage(values, cutter.PatchLength, pairs, rows, columns, _merge, resized[0], Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
