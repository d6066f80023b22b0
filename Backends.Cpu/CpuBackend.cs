namespace Portable.Backends.Cpu;

/// <summary>
/// The host's processor as a device, in pure C#: the default, and the numerical oracle. There is always exactly one,
/// "cpu:0". Thread-safe.
/// </summary>
public sealed class CpuBackend : IBackend
{
    private static readonly HashSet<Operator> AllOperators = [.. Enum.GetValues<Operator>()];
    private static readonly WeightSupport[] AllWeights = [.. Enum.GetValues<WeightEncoding>().Select(e => new WeightSupport(e, []))];

    /// <inheritdoc/>
    public string Id => "cpu";

    /// <inheritdoc/>
    public int Preference => 0;

    /// <inheritdoc/>
    public BackendProbe Probe()
    {
        DeviceInfo device = ProcessorProbe.Describe(Id);
        return new([device], $"{device.Name}, {string.Join(", ", device.Details.Select(d => $"{d.Key} {d.Value}"))}");
    }

    /// <inheritdoc/>
    public DeviceCapabilities GetCapabilities(DeviceInfo device, DeviceOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        return new()
        {
            ActivationType = ElementType.Float32,
            Weights = AllWeights,
            Operators = AllOperators,
            KvFormats = options.Numerics == NumericMode.Reference
                ? [KvFormat.Float32, KvFormat.Float16]
                : [KvFormat.Float16, KvFormat.Float32],
            PageSizes = [32, 16, 64, 128, 256],
            Attention = AttentionFeatures.Window | AttentionFeatures.SoftCap | AttentionFeatures.Sinks
                | AttentionFeatures.BidirectionalSpans | AttentionFeatures.ValueSize,
            CanCapture = false,
            ExpertWeights = true,
            GroupIndex = true,
        };
    }

    /// <inheritdoc/>
    public Device Open(DeviceInfo device, DeviceOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        if (device.Backend != Id || device.Index != 0)
            throw new ArgumentException($"expected the device {Id}:0, found {device.Id}", nameof(device));
        ArgumentOutOfRangeException.ThrowIfNegative(options.Threads);
        if (options.MemoryBudgetBytes is <= 0)
            throw new ArgumentException($"the memory budget must be positive, found {options.MemoryBudgetBytes}", nameof(options));
        int threads = options.Threads == 0 ? Environment.ProcessorCount : options.Threads;
        return new CpuDevice(device, GetCapabilities(device, options), options.Numerics, options.MemoryBudgetBytes ?? ProcessorProbe.AvailableMemory(), threads);
    }
}
