namespace Portable.Testing.Foreign;

/// <summary>
/// A device that is nothing like a CPU, computed on the host: it exists to prove that code above the contract fits a
/// GPU and an NPU. What it is strict about:
/// <list type="bullet">
/// <item>Buffers are handles; their storage is private to the device. Copies are explicit.</item>
/// <item>Nothing runs before <see cref="CommandStream.Synchronize"/>. An upload takes its source when enqueued; a
/// download poisons its host buffer when enqueued and fills it when the stream is synchronised.</item>
/// <item>Memory is poisoned when allocated and when freed. The poison is NaN as float16, bfloat16 and float32 and
/// 2,147,450,879 as int32, so that it is out of range as an id, slot, page number, offset or position.</item>
/// <item>Use after free, also by work enqueued or captured before, and indices out of range are a
/// <see cref="DeviceException"/> that names the operator. Allocations start at multiples of 512 bytes, are charged in
/// multiples of 512, and lie between guard zones that are checked after every operator that writes.</item>
/// <item>Activations are float16: accumulated in float32 or more, rounded when stored. KV is float16 in pages of 16.</item>
/// <item>Weights: plain ones as float16 (float32 and bfloat16 are cast), canonical 4-bit codes in groups of 16, 32, 64
/// or 128 with K a multiple of 16; everything else is refused.</item>
/// <item>Only primitives; work can be captured; any call can be made to fail.</item>
/// </list>
/// Views need no more alignment than their element size: packed q/k/v slices and rows of odd widths start anywhere, and
/// the devices in view all take them, if sometimes more slowly. Thread-safe; its streams are not.
/// </summary>
public sealed class ForeignBackend : IBackend
{
    private readonly Lock _lock = new();
    private readonly List<string> _leaks = [];
    private readonly long _memoryBytes;

    /// <summary>Creates the backend.</summary>
    /// <param name="faults">Which calls fail; null for none.</param>
    /// <param name="memoryBytes">The memory of its device, and the budget where the options give none.</param>
    public ForeignBackend(FaultPlan? faults = null, long memoryBytes = 4L << 30)
    {
        Faults = faults ?? new FaultPlan();
        _memoryBytes = memoryBytes;
    }

    /// <summary>The poison of memory and host buffers, repeated.</summary>
    public static ReadOnlySpan<byte> Poison => [0xFF, 0x7F];

    /// <summary>Counts all calls and fails those planned.</summary>
    public FaultPlan Faults { get; }

    /// <summary>What closed devices were still holding when disposed of; empty when nothing leaked.</summary>
    public IReadOnlyList<string> Leaks
    {
        get
        {
            lock (_lock)
                return [.. _leaks];
        }
    }

    /// <inheritdoc/>
    public string Id => "foreign";

    /// <inheritdoc/>
    public int Preference => -100;

    /// <inheritdoc/>
    public BackendProbe Probe() => new(
        [new DeviceInfo(Id, 0, "Foreign test device", _memoryBytes, [new("activations", "float16"), new("runs", "at synchronisation")])],
        "the foreign test device is always there");

    /// <inheritdoc/>
    public DeviceCapabilities GetCapabilities(DeviceInfo device, DeviceOptions options) => ForeignDevice.Offered;

    /// <inheritdoc/>
    public Device Open(DeviceInfo device, DeviceOptions options) => OpenForeign(options);

    /// <summary>Opens the device as what it is, with its counters.</summary>
    public ForeignDevice OpenForeign(DeviceOptions? options = null)
    {
        options ??= new DeviceOptions();
        return new ForeignDevice(this, Probe().Devices[0], options.Numerics, options.MemoryBudgetBytes ?? _memoryBytes);
    }

    internal void ReportLeaks(IEnumerable<string> leaks)
    {
        lock (_lock)
            _leaks.AddRange(leaks);
    }
}
