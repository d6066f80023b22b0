namespace Portable;

/// <summary>A device's memory, or the budget set for it, does not suffice. Nothing was allocated; the device is unharmed.</summary>
public sealed class DeviceOutOfMemoryException : PortableException
{
    /// <summary>Creates the error.</summary>
    public DeviceOutOfMemoryException(string device, string purpose, long neededBytes, long availableBytes)
        : base($"{device}: {purpose} needs {neededBytes:N0} bytes, {availableBytes:N0} are left of the memory budget; raise the budget, shorten the context or choose a smaller model.")
    {
        NeededBytes = neededBytes;
        AvailableBytes = availableBytes;
    }

    /// <summary>What was asked for.</summary>
    public long NeededBytes { get; }

    /// <summary>What was left.</summary>
    public long AvailableBytes { get; }
}
