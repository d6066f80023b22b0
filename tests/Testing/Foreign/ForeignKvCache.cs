namespace Portable.Testing.Foreign;

/// <summary>
/// KV pages in float16, in the device's own order: [layer, page, key head, place, element] for keys, then the same for
/// values.
/// </summary>
internal sealed class ForeignKvCache : KvCache
{
    private readonly ForeignDevice _device;
    private Action? _release;

    internal ForeignKvCache(ForeignDevice device, KvCacheLayout layout, long bytes, Action release) : base(layout, bytes)
    {
        _device = device;
        _release = release;
        string description = $"a KV cache of {bytes} bytes";
        try
        {
            Handle = device.Memory.Allocate(bytes, description);
        }
        catch
        {
            release();
            throw;
        }

        device.Born(this, description);
    }

    internal int Handle { get; }

    internal ForeignDevice Device => _device;

    /// <summary>The element where the key of a slot and head starts.</summary>
    internal long KeyIndex(int layer, long slot, int head) => Row(layer, slot, head) * Layout.KeySize;

    /// <summary>The element where the value of a slot and head starts.</summary>
    internal long ValueIndex(int layer, long slot, int head) =>
        (Layout.Layers * Layout.Tokens * Layout.KeyHeads * Layout.KeySize) + (Row(layer, slot, head) * Layout.ValueSize);

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _release, null) is not { } release)
            return;
        _device.Memory.Free(Handle);
        _device.Died(this);
        release();
    }

    private long Row(int layer, long slot, int head)
    {
        (long page, long place) = Math.DivRem(slot, Layout.PageSize);
        return ((((((long)layer * Layout.Pages) + page) * Layout.KeyHeads) + head) * Layout.PageSize) + place;
    }
}
