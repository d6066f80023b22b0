namespace Portable;

/// <summary>
/// A block of memory on a device, known to the host only by this handle. Disposing gives the memory back; the owner
/// must first have synchronised every stream that uses it. Not thread-safe.
/// </summary>
public abstract class DeviceBuffer : IDisposable
{
    private Action? _release;

    /// <summary>Creates the handle.</summary>
    /// <param name="device">The device that holds the memory.</param>
    /// <param name="bytes">The usable size.</param>
    /// <param name="release">Gives the reservation back to the device's budget; called once on dispose.</param>
    protected DeviceBuffer(Device device, long bytes, Action? release)
    {
        Device = device;
        Bytes = bytes;
        _release = release;
    }

    /// <summary>The device that holds the memory.</summary>
    public Device Device { get; }

    /// <summary>The usable size in bytes.</summary>
    public long Bytes { get; }

    /// <summary>Whether the memory has been given back.</summary>
    public bool IsDisposed { get; private set; }

    /// <summary>A view of the start of the buffer as a contiguous matrix.</summary>
    public TensorView View(ElementType type, int rows, int columns, long byteOffset = 0) =>
        new(this, byteOffset, type, rows, columns, columns);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (IsDisposed)
            return;
        IsDisposed = true;
        Free();
        Interlocked.Exchange(ref _release, null)?.Invoke();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the device memory; called once.</summary>
    protected abstract void Free();
}
