using Portable.Decoding;
using Portable.Vision.Images;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Vision;

/// <summary>
/// The image side of a vision-language model: decodes and prepares images on the host with all cores, runs the tower
/// on the device, and keeps features by content. The workspace grows with the largest image so far and goes back to the
/// planned size with the next ordinary one.
/// </summary>
internal sealed class ImageEncoder : IImageEncoder
{
    private readonly Device _device;
    private readonly VisionTower _tower;
    private readonly VisionTowerWeights _weights;
    private readonly Func<RgbImage, CancellationToken, ProcessedImage> _process;
    private readonly ImageLayoutKind _layout;
    private readonly VideoSupport? _video;
    private readonly IImageDecoder _decoder;
    private readonly ImageLimits _limits;
    private readonly int _plannedPatches;
    private VisionWorkspace? _workspace;

    /// <summary>Takes over the weights. No other memory is allocated before the first image.</summary>
    public ImageEncoder(
        Device device, VisionTowerConfig config, VisionTowerWeights weights, Func<RgbImage, CancellationToken, ProcessedImage> process, ImageLayoutKind layout,
        IImageDecoder decoder, VisionOptions options, int placeholderToken, int templateToken, VideoSupport? video, int plannedPatches)
    {
        _device = device;
        _tower = new VisionTower(config, weights);
        _weights = weights;
        _process = process;
        _layout = layout;
        _video = video;
        _decoder = decoder;
        _limits = options.Limits;
        _plannedPatches = plannedPatches;
        PlaceholderToken = placeholderToken;
        TemplateToken = templateToken;
        Cache = new FeatureCache(device, options.FeatureCacheBytes);
    }

    /// <inheritdoc/>
    public int PlaceholderToken { get; }

    /// <inheritdoc/>
    public int TemplateToken { get; }

    /// <summary>The tower.</summary>
    internal VisionTowerConfig Config => _tower.Config;

    /// <summary>Features of earlier images.</summary>
    internal FeatureCache Cache { get; }

    /// <summary>How often the tower has run.</summary>
    internal int TowerRuns { get; private set; }

    /// <summary>The output of the last block for the last image [patches, width], in the tower's own order.</summary>
    internal TensorView LastHidden { get; private set; }

    /// <summary>The grid of a prepared image's patches.</summary>
    internal PatchGrid GridOf(PreparedImage image)
    {
        ProcessedImage prepared = ((Prepared)image).Image;
        return new PatchGrid(prepared.GridT, prepared.GridH, prepared.GridW, prepared.MergeSize);
    }

    /// <inheritdoc/>
    public PreparedImage Prepare(ReadOnlyMemory<byte> bytes, string name, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        RgbImage pixels = _decoder.Decode(bytes, new ImageDecodeOptions { Limits = _limits, Name = name });
        cancellation.ThrowIfCancellationRequested();
        try
        {
            ProcessedImage image = _process(pixels, cancellation);
            ImageLayout layout = ImageLayout.Of(_layout, image, _tower.Config.MostTilesOfTokens);
            return Prepare(image, layout, null);
        }
        catch (InvalidInputException error) when (error.Input != name)
        {
            throw new InvalidInputException(name, error.Problem, error);
        }
    }

    /// <inheritdoc/>
    public PreparedImage PrepareVideo(VideoContent video, string name, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(video);
        if (_video is not { } support)
            throw new UnsupportedException("A video in the conversation", "this model knows images only");
        var frames = new List<RgbImage>();
        double framesPerSecond = video.FramesPerSecond;
        if (video.Animation is { } animation)
        {
            AnimationFrames taken = _decoder.DecodeAnimation(animation, support.Processor.Sample, new ImageDecodeOptions { Limits = _limits, Name = name });
            frames.AddRange(taken.Frames);
            framesPerSecond = taken.FramesPerSecond;
        }

        for (int i = 0; i < video.Frames.Count && frames.Count <= support.Processor.MostFrames; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            frames.Add(_decoder.Decode(video.Frames[i], new ImageDecodeOptions { Limits = _limits, Name = $"{name}, frame {i + 1}" }));
        }

        try
        {
            ProcessedImage image = support.Processor.Process(frames, name, cancellation);
            return Prepare(image, ImageLayout.OfVideo(support.Kind, image, framesPerSecond, support.Processor.FramesOfPatch, support.StepsPerSecond), support.Token);
        }
        catch (InvalidInputException error) when (error.Input != name)
        {
            throw new InvalidInputException(name, error.Problem, error);
        }
    }

    private static Prepared Prepare(ProcessedImage image, ImageLayout layout, int? token)
    {
        TokenGrid grid = layout.Runs.Count == 1 ? layout.Runs[0] : new TokenGrid(1, 1, layout.Runs.Sum(r => r.Count));
        return new Prepared(image, layout.Map, grid) { Text = layout.Text, Runs = layout.Runs, Token = token };
    }

    /// <inheritdoc/>
    public EncodedImage Encode(PreparedImage image, CommandStream stream, CancellationToken cancellation)
    {
        if (image is not Prepared { Image: { } prepared } ready)
            throw new ArgumentException("the image was prepared by another encoder", nameof(image));
        int tokens = image.Grid.Count;
        if (Cache.Find(image.ContentHash) is { } known)
            return new Encoded(this, known, tokens);

        ElementType type = _device.Capabilities.ActivationType;
        int maps = 1 + _tower.Config.DeepstackLayers.Count;
        VisionWorkspace workspace = Reserve(prepared.Patches, stream);
        FeatureCache.Entry entry = Cache.Allocate(image.ContentHash, (long)maps * tokens * _tower.Config.OutputSize * type.Size());
        var encoded = new Encoded(this, entry, tokens);
        try
        {
            if (ready.Map is { } map)
                EncodeMapped(stream, workspace, prepared, map, encoded.Features, cancellation);
            else
                _tower.Enqueue(stream, workspace, prepared, encoded.Features, encoded.LayerFeatures, cancellation);
            // Only features known to be there may be found by later prompts.
            stream.Synchronize();
            LastHidden = workspace.Hidden.SliceRows(0, prepared.Patches + (prepared.GridT * _tower.Config.ClassRows));
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

    /// <summary>Runs the tower tile by tile, and makes the tokens of its rows.</summary>
    private void EncodeMapped(
        CommandStream stream, VisionWorkspace workspace, ProcessedImage image, FeatureMap map, TensorView features, CancellationToken cancellation)
    {
        int rows = image.Tokens;
        TensorView raw = workspace.Raw.SliceRows(0, rows + 1), sources = workspace.Sources.SliceColumns(0, map.Tokens);
        _tower.Enqueue(stream, workspace, image, raw.SliceRows(0, rows), [], cancellation);
        stream.Copy(_weights.Newline!.Value, raw.SliceRows(rows, 1));
        if (map.Weights is null)
        {
            stream.Upload<int>(sources, map.Sources[0]);
            stream.GatherRows(raw, sources, features);
            return;
        }

        TensorView gathered = workspace.Gathered.SliceRows(0, map.Tokens), weights = workspace.SourceWeights.SliceRows(0, map.Tokens);
        stream.Fill(features, 0);
        for (int term = 0; term < map.Sources.Count; term++)
        {
            stream.Upload<int>(sources, map.Sources[term]);
            stream.Upload<float>(weights, map.Weights[term]);
            stream.GatherRows(raw, sources, gathered);
            stream.Add(features, gathered, features, 1, weights);
        }
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

    private sealed record Prepared(ProcessedImage Image, FeatureMap? Map, TokenGrid Tokens) : PreparedImage(Tokens, Hash(Image));

    private sealed record Encoded : EncodedImage
    {
        private readonly ImageEncoder _owner;
        private FeatureCache.Entry? _entry;

        public Encoded(ImageEncoder owner, FeatureCache.Entry entry, int tokens)
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

        private static TensorView Map(ImageEncoder owner, FeatureCache.Entry entry, int tokens, int index)
        {
            ElementType type = owner._device.Capabilities.ActivationType;
            int width = owner._tower.Config.OutputSize;
            return entry.Buffer.View(type, tokens, width, (long)index * tokens * width * type.Size());
        }
    }
}

/// <summary>What a model needs to see videos.</summary>
/// <param name="Processor">Prepares frames.</param>
/// <param name="Kind">How time is told.</param>
/// <param name="Token">The token that features replace.</param>
/// <param name="StepsPerSecond">How far positions go in a second.</param>
internal sealed record VideoSupport(VideoProcessor Processor, VideoKind Kind, int Token, double StepsPerSecond);
