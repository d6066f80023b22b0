namespace Portable;

/// <summary>
/// Host memory that a device can copy into without waiting (pinned where the device wants that). After an enqueued
/// download its content is defined only once the stream has been synchronised. Owned by the caller; not thread-safe.
/// </summary>
public abstract class HostBuffer : IDisposable
{
    /// <summary>The whole block.</summary>
    public abstract Span<byte> Span { get; }

    /// <summary>The block as values of one type.</summary>
    public Span<T> As<T>() where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, T>(Span);

    /// <inheritdoc/>
    public abstract void Dispose();
}
