namespace Portable.Vision;

/// <summary>
/// Image features on a device by the content of the image, bounded in bytes; the least recently used go first. Features
/// in use are never freed: they may exceed the bound until they are released. Owns the memory. Used by one thread.
/// </summary>
internal sealed class FeatureCache(Device device, long maxBytes) : IDisposable
{
    private readonly Dictionary<UInt128, LinkedListNode<Entry>> _byKey = [];
    private readonly LinkedList<Entry> _recent = [];

    /// <summary>Bytes held, features in use included.</summary>
    public long Bytes { get; private set; }

    /// <summary>Images held.</summary>
    public int Count => _byKey.Count;

    /// <summary>Finds features and marks them as in use until <see cref="Release"/>.</summary>
    public Entry? Find(UInt128 key)
    {
        if (!_byKey.TryGetValue(key, out LinkedListNode<Entry>? node))
            return null;
        _recent.Remove(node);
        _recent.AddFirst(node);
        node.Value.Users++;
        return node.Value;
    }

    /// <summary>
    /// Memory for new features, in use until <see cref="Release"/>; found under their key only after
    /// <see cref="Keep"/>. Makes room by what is not in use.
    /// </summary>
    public Entry Allocate(UInt128 key, long bytes)
    {
        EvictTo(Math.Max(0, maxBytes - bytes));
        DeviceBuffer buffer;
        try
        {
            buffer = device.Allocate(bytes, MemoryKind.Vision);
        }
        catch (DeviceOutOfMemoryException) when (Bytes > 0)
        {
            EvictTo(0);
            buffer = device.Allocate(bytes, MemoryKind.Vision);
        }

        Bytes += bytes;
        return new Entry(key, buffer, bytes) { Users = 1 };
    }

    /// <summary>Lets later images of the same content find the features, which are complete now.</summary>
    public void Keep(Entry entry) => _byKey.Add(entry.Key, _recent.AddFirst(entry));

    /// <summary>Ends one use. What nobody uses stays as long as the bound allows.</summary>
    public void Release(Entry entry)
    {
        entry.Users--;
        if (entry.Users == 0 && !_byKey.ContainsKey(entry.Key))
            Free(entry);
        EvictTo(maxBytes);
    }

    /// <summary>Frees everything that is not in use.</summary>
    public void Clear() => EvictTo(0);

    public void Dispose()
    {
        foreach (Entry entry in _recent)
            entry.Buffer.Dispose();
        _recent.Clear();
        _byKey.Clear();
        Bytes = 0;
    }

    private void EvictTo(long bytes)
    {
        LinkedListNode<Entry>? node = _recent.Last;
        while (node is not null && Bytes > bytes)
        {
            LinkedListNode<Entry>? newer = node.Previous;
            if (node.Value.Users == 0)
            {
                _recent.Remove(node);
                _byKey.Remove(node.Value.Key);
                Free(node.Value);
            }

            node = newer;
        }
    }

    private void Free(Entry entry)
    {
        entry.Buffer.Dispose();
        Bytes -= entry.Bytes;
    }

    /// <summary>The features of one image.</summary>
    internal sealed class Entry(UInt128 key, DeviceBuffer buffer, long bytes)
    {
        public UInt128 Key => key;

        public DeviceBuffer Buffer => buffer;

        public long Bytes => bytes;

        public int Users { get; set; }
    }
}
