namespace Portable.Backends.Cpu;

/// <summary>
/// Keys as [layer][page][head][place / 16][key size][place % 16], values as [layer][page][head][place][value size]: what
/// one head in one page holds is one run of memory, which attention streams. Keys lie across, so that a vector holds
/// one element of 16 of them and scores need no sum over lanes. Places of keys and sizes of values are filled up to a
/// multiple of 16, 64 bytes of float32, so that kernels have no remainder; what fills up places is never written.
/// </summary>
internal sealed unsafe class CpuKvCache : KvCache
{
    /// <summary>What places of keys and sizes of values are padded to.</summary>
    public const int Padding = 16;

    private readonly NativeBlock _block;
    private readonly long _valueStart;
    private Action? _release;

    /// <summary>Takes ownership of the block, which has <see cref="BytesOf"/> bytes.</summary>
    public CpuKvCache(CpuDevice device, KvCacheLayout layout, NativeBlock block, Action release) : base(layout, block.Bytes)
    {
        Device = device;
        _block = block;
        _release = release;
        ValueStride = Pad(layout.ValueSize);
        ElementBytes = layout.Format == KvFormat.Float32 ? 4 : 2;
        _valueStart = NativeBlock.Align(KeyElements(layout) * ElementBytes);
    }

    /// <summary>The device that holds it.</summary>
    public CpuDevice Device { get; }

    /// <summary>Elements from one token's value to the next.</summary>
    public int ValueStride { get; }

    /// <summary>Bytes of one element.</summary>
    public int ElementBytes { get; }

    /// <summary>Whether the memory has been given back.</summary>
    public bool IsDisposed => _release is null;

    /// <summary>A size rounded up to <see cref="Padding"/>.</summary>
    public static int Pad(int size) => (size + Padding - 1) & -Padding;

    /// <summary>Bytes of a cache of this layout; throws <see cref="OverflowException"/> beyond 2^63.</summary>
    public static long BytesOf(KvCacheLayout layout)
    {
        int elementBytes = layout.Format == KvFormat.Float32 ? 4 : 2;
        long values = checked(layout.Layers * layout.Tokens * layout.KeyHeads * Pad(layout.ValueSize));
        return checked(NativeBlock.Align(KeyElements(layout) * elementBytes) + NativeBlock.Align(values * elementBytes));
    }

    /// <summary>The keys of one head in one page.</summary>
    public byte* Keys(int layer, int page, int head) =>
        _block.Data + (RunIndex(layer, page, head) * Pad(Layout.PageSize) * Layout.KeySize * ElementBytes);

    /// <summary>The values of one head in one page.</summary>
    public byte* Values(int layer, int page, int head) =>
        _block.Data + _valueStart + (RunIndex(layer, page, head) * Layout.PageSize * ValueStride * ElementBytes);

    /// <inheritdoc/>
    public override void Dispose()
    {
        Action? release = Interlocked.Exchange(ref _release, null);
        if (release is null)
            return;
        _block.Dispose();
        release();
    }

    private static long KeyElements(KvCacheLayout layout) =>
        checked((long)layout.Layers * layout.Pages * layout.KeyHeads * Pad(layout.PageSize) * layout.KeySize);

    private long RunIndex(int layer, int page, int head) => ((((long)layer * Layout.Pages) + page) * Layout.KeyHeads) + head;
}
