namespace Portable;

/// <summary>
/// A kind of device: one implementation per vendor package, registered through <see cref="IPortableBuilder"/>.
/// Constructing it loads nothing. Thread-safe.
/// </summary>
public interface IBackend
{
    /// <summary>The id by which options name it: lower case, such as "cpu". Open to third parties, hence a string.</summary>
    string Id { get; }

    /// <summary>The order in which "auto" tries backends, highest first; the CPU is 0, accelerators are above.</summary>
    int Preference { get; }

    /// <summary>
    /// Looks for devices. Never throws for what is missing: a missing driver or library is a result that says what was
    /// tried and what the loader answered.
    /// </summary>
    BackendProbe Probe();

    /// <summary>What the device would offer when opened with these options, without opening it.</summary>
    DeviceCapabilities GetCapabilities(DeviceInfo device, DeviceOptions options);

    /// <summary>Opens a device; the caller owns it.</summary>
    Device Open(DeviceInfo device, DeviceOptions options);
}

/// <summary>What <see cref="IBackend.Probe"/> found.</summary>
/// <param name="Devices">Usable devices; empty when there is none.</param>
/// <param name="Reason">Why there is none, or what was found, in one sentence for a person.</param>
public sealed record BackendProbe(IReadOnlyList<DeviceInfo> Devices, string Reason)
{
    /// <summary>Whether at least one device can be opened.</summary>
    public bool IsUsable => Devices.Count > 0;
}
