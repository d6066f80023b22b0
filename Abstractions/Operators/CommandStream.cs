using System.Runtime.InteropServices;

namespace Portable;

/// <summary>
/// An ordered queue of work on a device. Operators are enqueued: they may run at any time until
/// <see cref="Synchronize"/> returns, in order. The host sees results only through <see cref="Download"/> followed by
/// <see cref="Synchronize"/>. Arguments are checked here, once for all devices, before anything is enqueued. Buffers,
/// weights and caches given to an operator must live until the stream was synchronised; captured work keeps needing
/// them until it is disposed of. Not thread-safe: one thread at a time.
/// </summary>
public abstract partial class CommandStream : IDisposable
{
    /// <summary>Creates the stream.</summary>
    protected CommandStream(Device device) => Device = device;

    /// <summary>The device that runs the work.</summary>
    public Device Device { get; }

    /// <summary>Whether work is being captured instead of queued.</summary>
    public bool IsCapturing { get; private set; }

    /// <summary>Waits until everything enqueued has run; throws what went wrong meanwhile.</summary>
    public void Synchronize()
    {
        RefuseInCapture(nameof(Synchronize));
        OnSynchronize();
    }

    /// <summary>
    /// Starts to record operators instead of running them. Uploads, downloads and waiting are refused until
    /// <see cref="EndCapture"/>. Throws <see cref="UnsupportedException"/> when the device cannot capture.
    /// </summary>
    public void BeginCapture()
    {
        if (!Device.Capabilities.CanCapture)
            throw new UnsupportedException("Capture", $"{Device.Info.Id} runs work directly; ask {nameof(DeviceCapabilities.CanCapture)} first");
        RefuseInCapture(nameof(BeginCapture));
        OnBeginCapture();
        IsCapturing = true;
    }

    /// <summary>Ends the recording; the caller owns the captured work.</summary>
    public CapturedWork EndCapture()
    {
        if (!IsCapturing)
            throw new InvalidOperationException("no capture has begun on this stream");
        IsCapturing = false;
        return OnEndCapture();
    }

    /// <summary>Enqueues captured work again, on the same buffers with the values they hold then.</summary>
    public void Replay(CapturedWork work)
    {
        ArgumentNullException.ThrowIfNull(work);
        RefuseInCapture(nameof(Replay));
        OnReplay(work);
    }

    /// <summary>
    /// Copies host values to the device; the source may be changed as soon as the call returns. The view must be
    /// contiguous and hold exactly the source's bytes.
    /// </summary>
    public void Upload<T>(TensorView destination, ReadOnlySpan<T> source) where T : unmanaged
    {
        RefuseInCapture(nameof(Upload));
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        CheckLive(destination, nameof(destination));
        if (!destination.IsContiguous || destination.Length * destination.Type.Size() != bytes.Length)
            throw new ArgumentException($"{bytes.Length} bytes do not fill {Describe(destination)}", nameof(source));
        if (bytes.Length > 0)
            OnUpload(destination, bytes);
    }

    /// <summary>Copies device values to the start of a host buffer, where they are defined after <see cref="Synchronize"/>.</summary>
    public void Download(TensorView source, HostBuffer destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        RefuseInCapture(nameof(Download));
        CheckLive(source, nameof(source));
        if (!source.IsContiguous || source.Length * source.Type.Size() > destination.Span.Length)
            throw new ArgumentException($"{Describe(source)} does not fit {destination.Span.Length} bytes", nameof(destination));
        if (source.Length > 0)
            OnDownload(source, destination);
    }

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Implements <see cref="Synchronize"/>.</summary>
    protected abstract void OnSynchronize();

    /// <summary>Implements <see cref="BeginCapture"/>; called only when the capabilities offer it.</summary>
    protected abstract void OnBeginCapture();

    /// <summary>Implements <see cref="EndCapture"/>.</summary>
    protected abstract CapturedWork OnEndCapture();

    /// <summary>Implements <see cref="Replay"/>.</summary>
    protected abstract void OnReplay(CapturedWork work);

    /// <summary>Implements <see cref="Upload"/>; the source is valid only during the call.</summary>
    protected abstract void OnUpload(TensorView destination, ReadOnlySpan<byte> source);

    /// <summary>Implements <see cref="Download"/>.</summary>
    protected abstract void OnDownload(TensorView source, HostBuffer destination);

    private static string Describe(TensorView view) => $"[{view.Rows}, {view.Columns}] {view.Type}";

    private void RefuseInCapture(string call)
    {
        if (IsCapturing)
            throw new InvalidOperationException($"{call} is not possible while work is being captured");
    }
}

/// <summary>Work recorded by <see cref="CommandStream.EndCapture"/>. Replayed on the stream that recorded it.</summary>
public abstract class CapturedWork : IDisposable
{
    /// <inheritdoc/>
    public abstract void Dispose();
}
