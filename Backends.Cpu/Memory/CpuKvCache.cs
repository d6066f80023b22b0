namespace Portable.Backends.Cpu;

/// <summary>
/// Keys as [layer][page][head][place][key size], values the same with their size: the keys of one head in one page are
/// one run of memory, which attention streams. Each token's elements are padded with zeros to whole 64-byte groups of
/// float32 (16 elements), so that kernels have no remainder.
/// </summary>
internal sealed unsafe class CpuKvCache : KvCache
{
    /// <summary>Elements that a token's keys and values are padded to.</summary>
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
        KeyStride = Pad(layout.KeySize);
        ValueStride = Pad(layout.ValueSize);
        ElementBytes = layout.Format == KvFormat.Float32 ? 4 : 2;
        _valueStart = NativeBlock.Align(layout.Layers * layout.Tokens * layout.KeyHeads * KeyStride * ElementBytes);
    }

    /// <summary>The device that holds it.</summary>
    public CpuDevice Device { get; }

    /// <summary>Elements from one token's key to the next.</summary>
    public int KeyStride { get; }

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
        long heads = checked(layout.Layers * layout.Tokens * layout.KeyHeads);
        return checked(NativeBlock.Align(heads * Pad(layout.KeySize) * elementBytes) + NativeBlock.Align(heads * Pad(layout.ValueSize) * elementBytes));
    }

    /// <summary>The keys of one head in one page.</summary>
    public byte* Keys(int layer, int page, int head) =>
        _block.Data + (RunIndex(layer, page, head) * Layout.PageSize * KeyStride * ElementBytes);

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

    private long RunIndex(int layer, int page, int head) => ((((long)layer * Layout.Pages) + page) * Layout.KeyHeads) + head;
}
