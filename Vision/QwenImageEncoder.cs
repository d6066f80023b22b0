using Portable.Decoding;
using Portable.Vision.Images;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Vision;

/// <summary>
/// The image side of a Qwen vision-language model: decodes and prepares images on the host with all cores, runs the tower
/// on the device, and keeps features by content. The workspace grows with the largest image so far and goes back to the
/// planned size with the next ordinary one.
/// </summary>
internal sealed class QwenImageEncoder : IImageEncoder
{
    private readonly Device _device;
    private readonly VisionTower _tower;
    private readonly VisionTowerWeights _weights;
    private readonly IImageProcessor _processor;
    private readonly IImageDecoder _decoder;
    private readonly ImageLimits _limits;
    private readonly int _plannedPatches;
    private VisionWorkspace? _workspace;

    /// <summary>Takes over the weights. No other memory is allocated before the first image.</summary>
    public QwenImageEncoder(
        Device device, VisionTowerConfig config, VisionTowerWeights weights, IImageProcessor processor, IImageDecoder decoder,
        VisionOptions options, int placeholderToken, int plannedPatches)
    {
        _device = device;
        _tower = new VisionTower(config, weights);
        _weights = weights;
        _processor = processor;
        _decoder = decoder;
        _limits = options.Limits;
        _plannedPatches = plannedPatches;
        PlaceholderToken = placeholderToken;
        Cache = new FeatureCache(device, options.FeatureCacheBytes);
    }

    /// <inheritdoc/>
    public int PlaceholderToken { get; }

    /// <summary>The tower.</summary>
    internal VisionTowerConfig Config => _tower.Config;

    /// <summary>Features of earlier images.</summary>
    internal FeatureCache Cache { get; }

    /// <summary>How often the tower has run.</summary>
    internal int TowerRuns { get; private set; }

    /// <summary>The output of the last block for the last image [patches, width], in the tower's own order.</summary>
    internal TensorView LastHidden { get; private set; }

    /// <inheritdoc/>
    public PreparedImage Prepare(ReadOnlyMemory<byte> bytes, string name, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        RgbImage pixels = _decoder.Decode(bytes, new ImageDecodeOptions { Limits = _limits, Name = name });
        cancellation.ThrowIfCancellationRequested();
        try
        {
            return new Prepared(_processor.Process(pixels, cancellation));
        }
        catch (InvalidInputException error) when (error.Input != name)
        {
            throw new InvalidInputException(name, error.Problem, error);
        }
    }

    /// <inheritdoc/>
    public EncodedImage Encode(PreparedImage image, CommandStream stream, CancellationToken cancellation)
    {
        if (image is not Prepared { Image: { } prepared })
            throw new ArgumentException("the image was prepared by another encoder", nameof(image));
        int tokens = prepared.Tokens;
        if (Cache.Find(image.ContentHash) is { } known)
            return new Encoded(this, known, tokens);

        ElementType type = _device.Capabilities.ActivationType;
        int maps = 1 + _tower.Config.DeepstackLayers.Count;
        VisionWorkspace workspace = Reserve(prepared.Patches, stream);
        FeatureCache.Entry entry = Cache.Allocate(image.ContentHash, (long)maps * tokens * _tower.Config.OutputSize * type.Size());
        var encoded = new Encoded(this, entry, tokens);
        try
        {
            _tower.Enqueue(stream, workspace, prepared, encoded.Features, encoded.LayerFeatures, cancellation);
            // Only features known to be there may be found by later prompts.
            stream.Synchronize();
            LastHidden = workspace.Hidden.SliceRows(0, prepared.Patches);
            TowerRuns++;
            Cache.Keep(entry);
            return encoded;
        }
        catch
        {
            Settle(stream);
            encoded.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _workspace?.Dispose();
        Cache.Dispose();
        _weights.Dispose();
    }

    private VisionWorkspace Reserve(int patches, CommandStream stream)
    {
        int wanted = Math.Max(patches, _plannedPatches);
        if (_workspace?.MaxPatches == wanted)
            return _workspace;
        // An earlier image may still be on its way through the old one.
        stream.Synchronize();
        LastHidden = default;
        _workspace?.Dispose();
        _workspace = null;
        try
        {
            return _workspace = new VisionWorkspace(_device, _tower.Config, wanted);
        }
        catch (DeviceOutOfMemoryException) when (Cache.Bytes > 0)
        {
            Cache.Clear();
            return _workspace = new VisionWorkspace(_device, _tower.Config, wanted);
        }
    }

    /// <summary>Waits for work whose memory is about to be freed, when an error is already on its way to the caller.</summary>
    private static void Settle(CommandStream stream)
    {
        try
        {
            stream.Synchronize();
        }
        catch (PortableException)
        {
            // The first error says what happened; what was queued will not run any more.
        }
    }

    private static UInt128 Hash(ProcessedImage image) =>
        UInt128.Parse(image.ContentHash.AsSpan(0, 32), System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture);

    private sealed record Prepared(ProcessedImage Image) : PreparedImage(
        new TokenGrid(Image.GridT, Image.GridH / Image.MergeSize, Image.GridW / Image.MergeSize), Hash(Image));

    private sealed record Encoded : EncodedImage
    {
        private readonly QwenImageEncoder _owner;
        private FeatureCache.Entry? _entry;

        public Encoded(QwenImageEncoder owner, FeatureCache.Entry entry, int tokens)
            : base(Map(owner, entry, tokens, 0), [.. Enumerable.Range(1, owner._tower.Config.DeepstackLayers.Count).Select(i => Map(owner, entry, tokens, i))])
        {
            _owner = owner;
            _entry = entry;
        }

        public override void Dispose()
        {
            if (Interlocked.Exchange(ref _entry, null) is { } entry)
                _owner.Cache.Release(entry);
        }

        private static TensorView Map(QwenImageEncoder owner, FeatureCache.Entry entry, int tokens, int index)
        {
            ElementType type = owner._device.Capabilities.ActivationType;
            int width = owner._tower.Config.OutputSize;
            return entry.Buffer.View(type, tokens, width, (long)index * tokens * width * type.Size());
        }
    }
}
