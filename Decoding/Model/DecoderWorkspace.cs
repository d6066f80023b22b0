using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

/// <summary>
/// The buffers that one step of a decoder reads and writes, for up to a number of packed tokens. Allocated once; a
/// step uses their first rows. Owns them.
/// </summary>
internal sealed class DecoderWorkspace : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];

    public DecoderWorkspace(Device device, DecoderConfig config, int maxTokens, int maxSequences, int maxLogitRows, int pagesPerSequence)
        : this(config, device.Capabilities.ActivationType, maxTokens, maxSequences, maxLogitRows, pagesPerSequence,
            bytes => device.Allocate(bytes, MemoryKind.Workspace))
    {
    }

    /// <summary>Lays the buffers out, each made by <paramref name="allocate"/>; where that gives none the views stay empty.</summary>
    private DecoderWorkspace(
        DecoderConfig config, ElementType type, int maxTokens, int maxSequences, int maxLogitRows, int pagesPerSequence, Func<long, DeviceBuffer?> allocate)
    {
        MaxTokens = maxTokens;
        MaxSequences = maxSequences;
        MaxLogitRows = maxLogitRows;
        try
        {
            Ids = Allocate(ElementType.Int32, 1, maxTokens);
            Positions = Allocate(ElementType.Int32, 1, maxTokens * config.Rope.Axes);
            Slots = Allocate(ElementType.Int32, 1, maxTokens);
            QueryOffsets = Allocate(ElementType.Int32, 1, maxSequences + 1);
            ContextLengths = Allocate(ElementType.Int32, 1, maxSequences);
            PageTable = Allocate(ElementType.Int32, maxSequences, pagesPerSequence);
            LogitRows = Allocate(ElementType.Int32, 1, maxLogitRows);
            MediaRows = Allocate(ElementType.Int32, 1, maxTokens);
            MediaSources = Allocate(ElementType.Int32, 1, maxTokens);
            MediaFeatures = Allocate(type, maxTokens, config.HiddenSize);
            Hidden = Allocate(type, maxTokens, config.HiddenSize);
            Normed = Allocate(type, maxTokens, config.HiddenSize);
            Qkv = Allocate(type, maxTokens, config.QkvSize);
            Attended = Allocate(type, maxTokens, config.QueryHeads * config.HeadSize);
            Projected = Allocate(type, maxTokens, 2 * config.FeedForwardSize);
            Activated = Allocate(type, maxTokens, config.FeedForwardSize);
            Angles = Allocate(ElementType.Float32, maxTokens, config.Rope.RotaryDimensions);
            Last = Allocate(type, maxLogitRows, config.HiddenSize);
            Logits = Allocate(ElementType.Float32, maxLogitRows, config.VocabularySize);
            BestIds = Allocate(ElementType.Int32, maxLogitRows, 1);
            BestLogits = Allocate(ElementType.Float32, maxLogitRows, 1);
        }
        catch
        {
            Dispose();
            throw;
        }

        TensorView Allocate(ElementType element, int rows, int columns)
        {
            if (allocate(Math.Max(1, (long)rows * columns * element.Size())) is not { } buffer)
                return default;
            _buffers.Add(buffer);
            return buffer.View(element, rows, columns);
        }
    }

    public int MaxTokens { get; }

    public int MaxSequences { get; }

    public int MaxLogitRows { get; }

    public TensorView Ids { get; }

    public TensorView Positions { get; }

    public TensorView Slots { get; }

    public TensorView QueryOffsets { get; }

    public TensorView ContextLengths { get; }

    public TensorView PageTable { get; }

    public TensorView LogitRows { get; }

    public TensorView MediaRows { get; }

    public TensorView MediaSources { get; }

    public TensorView MediaFeatures { get; }

    public TensorView Hidden { get; }

    public TensorView Normed { get; }

    public TensorView Qkv { get; }

    public TensorView Attended { get; }

    public TensorView Projected { get; }

    public TensorView Activated { get; }

    public TensorView Angles { get; }

    public TensorView Last { get; }

    public TensorView Logits { get; }

    public TensorView BestIds { get; }

    public TensorView BestLogits { get; }

    /// <summary>Bytes that a workspace would take, for planning.</summary>
    public static long Bytes(Device device, DecoderConfig config, int maxTokens, int maxSequences, int maxLogitRows, int pagesPerSequence)
    {
        long total = 0;
        _ = new DecoderWorkspace(config, device.Capabilities.ActivationType, maxTokens, maxSequences, maxLogitRows, pagesPerSequence, bytes =>
        {
            total += device.BufferBytes(bytes);
            return null;
        });
        return total;
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers)
            buffer.Dispose();
        _buffers.Clear();
    }
}
