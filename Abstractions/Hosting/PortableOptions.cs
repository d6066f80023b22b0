namespace Portable;

/// <summary>Options of an application that uses Portable; bound from the section "Portable".</summary>
public sealed class PortableOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Portable";

    /// <summary>The environment variable that overrides <see cref="Backend"/> of a configuration file.</summary>
    public const string BackendVariable = "PORTABLE_BACKEND";

    /// <summary>"auto", or the id of a backend, or one of its devices ("cpu:0"). A named backend never becomes another.</summary>
    public string Backend { get; set; } = BackendSelector.Auto;

    /// <summary>How devices compute.</summary>
    public NumericMode Numerics { get; set; } = NumericMode.Fast;

    /// <summary>Host threads for each model; 0 means the number of cores.</summary>
    public int Threads { get; set; }

    /// <summary>Bytes that one model may take on its device; null lets the device choose.</summary>
    public long? MemoryBudgetBytes { get; set; }

    /// <summary>The part that a device needs.</summary>
    public DeviceOptions ToDeviceOptions() =>
        new() { Numerics = Numerics, Threads = Threads, MemoryBudgetBytes = MemoryBudgetBytes };
}
