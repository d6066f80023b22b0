using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>
/// The image processor of Qwen2-VL, Qwen2.5-VL and Qwen3-VL, which differ in settings alone, and of GLM-4V, which chooses sizes a little otherwise: resize to multiples of
/// patch size times merge size within bounds on the number of pixels, normalise, cut into patches in merge order with
/// the frame repeated in time. Settings not in the file have the defaults of transformers' class.
/// </summary>
internal sealed class QwenImageProcessor : IImageProcessor
{
    private static readonly double[] ClipMean = [0.48145466, 0.4578275, 0.40821073];
    private static readonly double[] ClipStd = [0.26862954, 0.26130258, 0.27577711];

    private readonly NormalisationTable _normalisation;
    private readonly ResampleFilter _filter;
    private readonly long _minPixels;
    private readonly long _maxPixels;
    private readonly int _patch;
    private readonly int _temporal;
    private readonly int _merge;
    private readonly int _threads;
    private readonly bool _isGlm;

    /// <summary>Creates the processor from the settings of a checkpoint.</summary>
    /// <param name="config">The settings.</param>
    /// <param name="threads">Most threads that one image may use; -1 for all processors.</param>
    public QwenImageProcessor(ImageProcessorConfig config, int threads = -1)
    {
        Config = config;
        _normalisation = new NormalisationTable(config, ClipMean, ClipStd);
        _filter = config.Resample ?? ResampleFilter.Bicubic;
        _patch = config.PatchSize ?? 14;
        _temporal = config.TemporalPatchSize ?? 2;
        _merge = config.MergeSize ?? 2;
        if (_patch > 256)
            throw new InvalidModelException(config.Source, "patch_size", $"expected at most 256, found {_patch}");

        (_minPixels, _maxPixels) = PixelBounds(config);
        if (_minPixels > _maxPixels)
            throw new InvalidModelException(config.Source, "min_pixels", $"{_minPixels} is more than max_pixels, {_maxPixels}");
        _threads = threads;
        _isGlm = ImageProcessors.Plain(config.ImageProcessorType) == "Glm4vImageProcessor";
    }

    /// <inheritdoc/>
    public ImageProcessorConfig Config { get; }

    /// <summary>Least and most pixels of an image after resizing.</summary>
    public static (long Least, long Most) PixelBounds(ImageProcessorConfig config)
    {
        // The edges of `size` are numbers of pixels here; the older names win where both are given.
        return (config.MinPixels ?? config.Size?.ShortestEdge ?? 56 * 56, config.MaxPixels ?? config.Size?.LongestEdge ?? 28 * 28 * 1280);
    }

    /// <inheritdoc/>
    public (int Height, int Width, int Tokens) Plan(int height, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        int block = _patch * _merge;
        if (Config.DoResize ?? true)
        {
            (height, width) = _isGlm
                ? TileSizes.Glm4v(height, width, _temporal, block, _minPixels, _maxPixels)
                : SmartResize.Target(height, width, block, _minPixels, _maxPixels);
        }
        else if (height % block != 0 || width % block != 0)
        {
            throw new InvalidInputException(
                "image", $"{width} x {height} pixels, and this model does not resize: both sides must be multiples of {block}");
        }

        return (height, width, height / block * (width / block));
    }

    /// <inheritdoc/>
    public ProcessedImage Process(RgbImage image, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        (int height, int width, _) = Plan(image.Height, image.Width);
        int gridH = height / _patch, gridW = width / _patch, patchLength = 3 * _temporal * _patch * _patch;
        long values = (long)gridH * gridW * patchLength;
        if (values > Array.MaxLength)
            throw new InvalidInputException("image", $"{width} x {height} pixels make {values} patch values, more than one array holds");

        cancellationToken.ThrowIfCancellationRequested();
        RgbImage resized = image;
        if (height != image.Height || width != image.Width)
        {
            PixelBuffer pixels = PillowResampler.Resize(
                new PixelBuffer(image.Data, image.Width, image.Height, 3), width, height, _filter, threads: _threads);
            resized = new RgbImage(width, height, pixels.Data);
        }

        cancellationToken.ThrowIfCancellationRequested();
        float[] patches = GC.AllocateUninitializedArray<float>((int)values);
        new PatchCutter(_normalisation, _patch, _temporal, _merge).Cut(resized, patches, _threads, cancellationToken);
        return new ProcessedImage(patches, patchLength, 1, gridH, gridW, _merge, resized, Hash(resized));
    }

    private string Hash(RgbImage resized)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> sizes = stackalloc byte[5 * sizeof(int)];
        ReadOnlySpan<int> numbers = [resized.Height, resized.Width, _patch, _temporal, _merge];
        for (int i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(sizes[(i * sizeof(int))..], numbers[i]);
        hash.AppendData(sizes);
        for (int channel = 0; channel < 3; channel++)
            hash.AppendData(MemoryMarshal.AsBytes(_normalisation.Channel(channel)));
        hash.AppendData(resized.Pixels);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
