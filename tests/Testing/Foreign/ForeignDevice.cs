using System.Collections.Frozen;

namespace Portable.Testing.Foreign;

/// <summary>The opened foreign device; <see cref="ForeignBackend"/> says how it behaves.</summary>
public sealed class ForeignDevice : Device
{
    /// <summary>Tokens of a KV page.</summary>
    public const int PageSize = 16;

    internal static readonly DeviceCapabilities Offered = new()
    {
        ActivationType = ElementType.Float16,
        Weights =
        [
            new(WeightEncoding.Float32, []), new(WeightEncoding.Float16, []), new(WeightEncoding.BFloat16, []),
            new(WeightEncoding.UInt4, [16, 32, 64, 128]),
        ],
        Operators = Enum.GetValues<Operator>().Except([Operator.AttentionInput, Operator.FeedForwardInput]).ToFrozenSet(),
        KvFormats = [KvFormat.Float16],
        PageSizes = [PageSize],
        MaxHeadSize = 256,
        HeadSizeMultiple = 4,
        ColumnMultiple = 16,
        Attention = AttentionFeatures.Window | AttentionFeatures.SoftCap | AttentionFeatures.Sinks
            | AttentionFeatures.BidirectionalSpans | AttentionFeatures.ValueSize,
        CanCapture = true,
        ExpertWeights = true,
        GroupIndex = false,
    };

    private readonly ForeignBackend _backend;
    private readonly Lock _lock = new();
    private readonly Dictionary<object, string> _live = [];
    private bool _isLost;
    private bool _isDisposed;

    internal ForeignDevice(ForeignBackend backend, DeviceInfo info, NumericMode numerics, long budgetBytes)
        : base(info, Offered, numerics, budgetBytes)
    {
        _backend = backend;
        Memory = new ForeignMemory(info.Id);
        Enter(ForeignCall.Open, "Open");
    }

    /// <summary>Counts all calls and fails those planned.</summary>
    public FaultPlan Faults => _backend.Faults;

    /// <summary>Buffers, weights, caches, host buffers, streams and captured work that have not been disposed of.</summary>
    public int LiveAllocations
    {
        get
        {
            lock (_lock)
                return _live.Count;
        }
    }

    /// <summary>Each of <see cref="LiveAllocations"/>, for a person.</summary>
    public IReadOnlyList<string> DescribeLiveAllocations()
    {
        lock (_lock)
            return [.. _live.Values];
    }

    internal ForeignMemory Memory { get; }

    /// <inheritdoc/>
    public override DeviceBuffer Allocate(long bytes, MemoryKind kind)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Enter(ForeignCall.Allocate, nameof(Allocate), bytes);
        Action release = Reserve(ForeignMemory.Charged(bytes), kind);
        return new ForeignBuffer(this, bytes, kind, release);
    }

    /// <inheritdoc/>
    public override long BufferBytes(long bytes) => ForeignMemory.Charged(bytes);

    /// <inheritdoc/>
    public override HostBuffer AllocateHost(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Enter(ForeignCall.AllocateHost, nameof(AllocateHost), bytes);
        return new ForeignHostBuffer(this, bytes);
    }

    /// <inheritdoc/>
    public override DeviceWeight LoadWeight(IReadOnlyList<WeightMatrix> parts, WeightStacking stacking = WeightStacking.Outputs)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Count == 0 || parts.Any(p => p.Columns != parts[0].Columns)
            || (stacking == WeightStacking.Experts && parts.Any(p => p.Rows != parts[0].Rows)))
        {
            throw new ArgumentException(
                $"parts of one width, and experts of one shape, not {string.Join(", ", parts.Select(p => $"{p.Name} [{p.Rows}, {p.Columns}]"))}",
                nameof(parts));
        }

        foreach (WeightMatrix part in parts)
            RefuseWeight(part, stacking);
        long bytes = parts.Sum(p => WeightBytes(p.Rows, p.Columns, p.Format));
        Enter(ForeignCall.LoadWeight, nameof(LoadWeight), bytes);
        return new ForeignWeight(this, parts, stacking, bytes, Reserve(bytes, MemoryKind.Weights));
    }

    /// <inheritdoc/>
    public override long WeightBytes(int rows, int columns, WeightFormat format) =>
        ForeignMemory.Charged(ForeignWeightPart.PayloadBytes(rows, columns, format));

    /// <inheritdoc/>
    public override KvCache CreateKvCache(KvCacheLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        if (layout.Format != KvFormat.Float16)
            throw new UnsupportedException($"A KV cache of {layout.Format}", $"{Info.Id} stores {KvFormat.Float16}");
        if (layout.PageSize != PageSize)
            throw new UnsupportedException($"A KV page of {layout.PageSize} tokens", $"{Info.Id} has pages of {PageSize}");
        long bytes = KvCacheBytes(layout);
        Enter(ForeignCall.CreateKvCache, nameof(CreateKvCache), bytes);
        return new ForeignKvCache(this, layout, bytes, Reserve(bytes, MemoryKind.KvCache));
    }

    /// <inheritdoc/>
    public override long KvCacheBytes(KvCacheLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return ForeignMemory.Charged(checked(layout.Layers * layout.Tokens * layout.KeyHeads * (layout.KeySize + layout.ValueSize) * sizeof(ushort)));
    }

    /// <inheritdoc/>
    public override CommandStream CreateStream()
    {
        Enter(ForeignCall.CreateStream, nameof(CreateStream));
        return new ForeignStream(this);
    }

    /// <summary>Closes the device.</summary>
    /// <exception cref="InvalidOperationException">Something that it made is still alive; <see cref="ForeignBackend.Leaks"/> says it too.</exception>
    public override void Dispose()
    {
        string[] leaks;
        lock (_lock)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            leaks = [.. _live.Values];
        }

        if (leaks.Length == 0)
            return;
        _backend.ReportLeaks(leaks);
        throw new InvalidOperationException($"{Info.Id} was disposed of while {leaks.Length} of its things live: {string.Join("; ", leaks)}");
    }

    /// <summary>Counts a call, and fails it where planned or where the device can no longer be used.</summary>
    /// <returns>Whether an operator that runs now must write astray.</returns>
    internal bool Enter(ForeignCall call, string operation, long bytes = 0)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            FaultKind? fault = Faults.Count(call);
            if (fault == FaultKind.DeviceLost)
                _isLost = true;
            if (_isLost)
                throw new DeviceException(Info.Id, operation, fault is null ? "the device was lost before" : "injected loss of the device", isDeviceLost: true);
            if (fault == FaultKind.Failure)
                throw new DeviceException(Info.Id, operation, "injected failure", isDeviceLost: false);
            if (fault == FaultKind.OutOfMemory)
                throw new DeviceOutOfMemoryException(Info.Id, $"{operation} (injected)", bytes, 0);
            return fault == FaultKind.StrayWrite;
        }
    }

    internal void Born(object thing, string description)
    {
        lock (_lock)
            _live.Add(thing, description);
    }

    internal void Died(object thing)
    {
        lock (_lock)
            _live.Remove(thing);
    }

    private void RefuseWeight(WeightMatrix part, WeightStacking stacking)
    {
        var need = new WeightRequirement(
            Operator.Linear, part.Name, part.Format, part.Rows, part.Columns, part.GroupIndex.Length > 0, stacking == WeightStacking.Experts);
        var model = new ModelRequirements { Operators = FrozenSet<Operator>.Empty, Weights = [need], HeadSizes = FrozenSet<int>.Empty };
        if (Capabilities.Check(model) is [{ } unmet, ..])
            throw new UnsupportedException($"The weight {part.Name} on {Info.Id}", unmet.Reason);
    }
}
