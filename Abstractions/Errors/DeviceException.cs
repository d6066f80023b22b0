namespace Portable;

/// <summary>
/// A device failed at an operation. When <see cref="IsDeviceLost"/> holds the state is sticky: every further use of
/// the device fails alike, and its models must be loaded again on another one.
/// </summary>
public sealed class DeviceException : PortableException
{
    /// <summary>Creates the error.</summary>
    public DeviceException(string device, string operation, string problem, bool isDeviceLost, Exception? innerException = null)
        : base($"{device}: {operation}: {problem}{(isDeviceLost ? "; the device is lost, load the model again" : "")}.", innerException)
    {
        Device = device;
        Operation = operation;
        IsDeviceLost = isDeviceLost;
    }

    /// <summary>The device, as in <see cref="DeviceInfo.Id"/>.</summary>
    public string Device { get; }

    /// <summary>The operator or call that failed.</summary>
    public string Operation { get; }

    /// <summary>Whether the device can no longer be used.</summary>
    public bool IsDeviceLost { get; }
}
