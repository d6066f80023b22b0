namespace Portable;

/// <summary>
/// An opened device: memory, weights, KV caches and streams, all counted against one budget. Allocation is thread-safe;
/// streams are not. Disposing requires that everything made by it has been disposed of.
/// </summary>
public abstract class Device : IDisposable
{
    private readonly long[] _reserved = new long[Enum.GetValues<MemoryKind>().Length];
    private readonly Lock _accounts = new();

    /// <summary>Creates the device with its budget.</summary>
    protected Device(DeviceInfo info, DeviceCapabilities capabilities, NumericMode numerics, long budgetBytes)
    {
        Info = info;
        Capabilities = capabilities;
        Numerics = numerics;
        BudgetBytes = budgetBytes;
    }

    /// <summary>Which device this is.</summary>
    public DeviceInfo Info { get; }

    /// <summary>What it offers.</summary>
    public DeviceCapabilities Capabilities { get; }

    /// <summary>How it computes.</summary>
    public NumericMode Numerics { get; }

    /// <summary>Bytes that may be reserved together.</summary>
    public long BudgetBytes { get; }

    /// <summary>Bytes reserved now.</summary>
    public long ReservedBytes
    {
        get
        {
            lock (_accounts)
                return _reserved.Sum();
        }
    }

    /// <summary>Bytes reserved now for one purpose.</summary>
    public long ReservedBytesFor(MemoryKind kind)
    {
        lock (_accounts)
            return _reserved[(int)kind];
    }

    /// <summary>Memory, its content undefined; the caller owns it. Throws <see cref="DeviceOutOfMemoryException"/>.</summary>
    public abstract DeviceBuffer Allocate(long bytes, MemoryKind kind);

    /// <summary>Bytes that <see cref="Allocate"/> would count for a buffer: more than asked for where the device rounds up.</summary>
    public virtual long BufferBytes(long bytes) => bytes;

    /// <summary>Host memory for downloads; the caller owns it. Not counted against the budget.</summary>
    public abstract HostBuffer AllocateHost(long bytes);

    /// <summary>
    /// Copies canonical matrices into the device's layout; the matrices may be disposed of afterwards. Parts may differ
    /// in format where the capabilities offer each. Throws <see cref="UnsupportedException"/> for a format not offered.
    /// </summary>
    /// <param name="parts">Matrices with equal <see cref="WeightMatrix.Columns"/>, in order; experts also with equal rows.</param>
    /// <param name="stacking">How the parts belong together.</param>
    public abstract DeviceWeight LoadWeight(IReadOnlyList<WeightMatrix> parts, WeightStacking stacking = WeightStacking.Outputs);

    /// <summary>Bytes that <see cref="LoadWeight"/> would take for a matrix, without loading it.</summary>
    public abstract long WeightBytes(int rows, int columns, WeightFormat format);

    /// <summary>
    /// Names how this device stores weights: images written under one name can be mapped by every device of the backend
    /// that gives the same name, and by no other. Null where weights cannot be written.
    /// </summary>
    public virtual string? WeightLayout => null;

    /// <summary>Writes a weight of this device in its own layout, as <see cref="MapWeight"/> takes it; the same weight gives the same bytes.</summary>
    /// <exception cref="UnsupportedException"><see cref="WeightLayout"/> is null.</exception>
    public virtual void WriteWeight(DeviceWeight weight, Stream destination) => throw NoImages();

    /// <summary>
    /// A weight over an image, used in place where the device can; results have the same bits as those of the weight
    /// that was written. Its bytes count against the budget as those of <see cref="LoadWeight"/> do.
    /// </summary>
    /// <exception cref="UnsupportedException"><see cref="WeightLayout"/> is null.</exception>
    /// <exception cref="InvalidModelException">The image contradicts itself or its size.</exception>
    public virtual DeviceWeight MapWeight(WeightImage image) => throw NoImages();

    /// <summary>A paged KV cache; the caller owns it.</summary>
    public abstract KvCache CreateKvCache(KvCacheLayout layout);

    /// <summary>Bytes that <see cref="CreateKvCache"/> would take.</summary>
    public abstract long KvCacheBytes(KvCacheLayout layout);

    /// <summary>A stream of work; the caller owns it and uses it from one thread at a time.</summary>
    public abstract CommandStream CreateStream();

    /// <inheritdoc/>
    public abstract void Dispose();

    private UnsupportedException NoImages() => new($"Writing and mapping weights on {Info.Id}", "the device has no layout for files; load the checkpoint");

    /// <summary>Counts bytes against the budget; throws <see cref="DeviceOutOfMemoryException"/> when they do not fit.</summary>
    /// <returns>The action that gives them back, to be called once.</returns>
    protected Action Reserve(long bytes, MemoryKind kind)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        lock (_accounts)
        {
            long left = BudgetBytes - _reserved.Sum();
            if (bytes > left)
                throw new DeviceOutOfMemoryException(Info.Id, kind.ToString(), bytes, left);
            _reserved[(int)kind] += bytes;
        }

        return () =>
        {
            lock (_accounts)
                _reserved[(int)kind] -= bytes;
        };
    }
}
