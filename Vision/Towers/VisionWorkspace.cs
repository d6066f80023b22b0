namespace Portable.Vision.Towers;

/// <summary>
/// The memory that one run of a tower reads and writes, for up to a number of patches, as one device allocation. Only the
/// residual stream, q/k/v and the attention output are held for all patches; everything else works on
/// <see cref="ChunkPatches"/> at a time. Owns the memory.
/// </summary>
internal sealed class VisionWorkspace : IDisposable
{
    private const int Alignment = 512;
    private readonly DeviceBuffer? _buffer;
    private long _end;

    /// <summary>Allocates it; throws <see cref="DeviceOutOfMemoryException"/>, and then nothing was allocated.</summary>
    public VisionWorkspace(Device device, VisionTowerConfig config, int patches)
        : this(config, device.Capabilities.ActivationType, patches, device.Allocate(Bytes(config, device.Capabilities.ActivationType, patches), MemoryKind.Vision))
    {
    }

    private VisionWorkspace(VisionTowerConfig config, ElementType type, int patches, DeviceBuffer? buffer)
    {
        _buffer = buffer;
        MaxPatches = patches;
        int chunk = ChunkPatches = ChunkFor(config, patches), block = config.BlockPatches, blocks = patches / block;
        // A row before the patches of each tile; tiles have the size of the position table.
        int rows = patches + (config.HasClassToken ? (patches / Math.Max(1, config.PositionSide * config.PositionSide)) + 1 : 0);
        int staged = Math.Max(config.PatchLength, config.PositionSide > 0 ? config.Width : 0);
        Positions = Place(ElementType.Int32, 1, 2 * (long)patches);
        Angles = Place(ElementType.Float32, patches, config.HeadSize);
        FrameOffsets = Place(ElementType.Int32, 1, patches + 1L);
        if (config.WindowBlocks > 0)
        {
            WindowOffsets = Place(ElementType.Int32, 1, blocks + 1L);
            WindowOrder = Place(ElementType.Int32, 1, blocks);
            RowOrder = Place(ElementType.Int32, 1, blocks);
            Merged = Place(type, blocks, config.OutputSize);
        }

        Staged = Place(ElementType.Float32, 1, chunk * (long)staged);
        Cast = type == ElementType.Float32 ? Staged : Place(type, 1, chunk * (long)staged);
        Hidden = Place(type, rows, config.Width);
        Qkv = Place(type, rows, 3L * config.Width);
        Attended = Place(type, rows, config.Width);
        Normed = Place(type, chunk, config.Width);
        Projected = Place(type, chunk, config.FeedForwardSize * (config.IsGated ? 2L : 1));
        Activated = config.IsGated ? Place(type, chunk, config.FeedForwardSize) : Projected;
        MergedChunk = Place(type, chunk / block, config.ConnectorWidth);
        OtherChunk = config.Connector == ConnectorKind.Merger ? default : Place(type, chunk / block, config.ConnectorWidth);
        if (config.HasNewline)
        {
            Raw = Place(type, blocks + 1, config.OutputSize);
            Gathered = Place(type, 2 * blocks, config.OutputSize);
            Sources = Place(ElementType.Int32, 1, 2L * blocks);
            SourceWeights = Place(ElementType.Float32, 2 * blocks, 1);
        }
    }

    /// <summary>Patches that fit.</summary>
    public int MaxPatches { get; }

    /// <summary>Patches of one step of what works row by row; whole merge blocks.</summary>
    public int ChunkPatches { get; }

    /// <summary>int32 [1, 2 * patches].</summary>
    public TensorView Positions { get; }

    /// <summary>float32 [patches, head size].</summary>
    public TensorView Angles { get; }

    /// <summary>int32 [1, patches + 1].</summary>
    public TensorView FrameOffsets { get; }

    /// <summary>int32 [1, blocks + 1]; only with windows, as the next three.</summary>
    public TensorView WindowOffsets { get; }

    /// <summary>int32 [1, blocks]: which block stands at each place of the window order.</summary>
    public TensorView WindowOrder { get; }

    /// <summary>int32 [1, blocks]: where each block stands in the window order.</summary>
    public TensorView RowOrder { get; }

    /// <summary>[blocks, output]: merged tokens in window order.</summary>
    public TensorView Merged { get; }

    /// <summary>float32 [1, chunk * n]: patches or positions from the host.</summary>
    public TensorView Staged { get; }

    /// <summary>The same as activations; the very same memory where activations are float32.</summary>
    public TensorView Cast { get; }

    /// <summary>[patches, width].</summary>
    public TensorView Hidden { get; }

    /// <summary>[patches, 3 * width].</summary>
    public TensorView Qkv { get; }

    /// <summary>[patches, width].</summary>
    public TensorView Attended { get; }

    /// <summary>[chunk, width].</summary>
    public TensorView Normed { get; }

    /// <summary>[chunk, MLP width], twice that when gated.</summary>
    public TensorView Projected { get; }

    /// <summary>[chunk, MLP width].</summary>
    public TensorView Activated { get; }

    /// <summary>[chunk / block, widest row of the connector].</summary>
    public TensorView MergedChunk { get; }

    /// <summary>The same; not for the connector with one inner layer.</summary>
    public TensorView OtherChunk { get; }

    /// <summary>[blocks + 1, output]: features tile by tile and the newline; only with newlines, as the next three.</summary>
    public TensorView Raw { get; }

    /// <summary>[2 * blocks, output].</summary>
    public TensorView Gathered { get; }

    /// <summary>int32 [1, 2 * blocks].</summary>
    public TensorView Sources { get; }

    /// <summary>float32 [2 * blocks, 1].</summary>
    public TensorView SourceWeights { get; }

    /// <summary>Bytes that a workspace takes.</summary>
    public static long Bytes(VisionTowerConfig config, ElementType type, int patches) => new VisionWorkspace(config, type, patches, null)._end;

    public void Dispose() => _buffer?.Dispose();

    private static int ChunkFor(VisionTowerConfig config, int patches)
    {
        const int Most = 1024;
        return Math.Min(patches, Math.Max(1, Most / config.BlockPatches) * config.BlockPatches);
    }

    // Without a buffer it only measures.
    private TensorView Place(ElementType type, int rows, long columns)
    {
        long offset = _end;
        _end = checked(offset + (rows * columns * type.Size()) + Alignment - 1) & -Alignment;
        return _buffer is null ? default : _buffer.View(type, rows, checked((int)columns), offset);
    }
}
