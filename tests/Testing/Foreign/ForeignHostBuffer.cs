namespace Portable.Testing.Foreign;

/// <summary>Host memory for downloads, poisoned until a download has run.</summary>
internal sealed class ForeignHostBuffer : HostBuffer
{
    private readonly ForeignDevice _device;
    private byte[]? _bytes;

    internal ForeignHostBuffer(ForeignDevice device, long bytes)
    {
        _device = device;
        _bytes = GC.AllocateUninitializedArray<byte>(checked((int)bytes));
        ForeignMemory.FillWithPoison(_bytes);
        device.Born(this, $"a host buffer of {bytes} bytes");
    }

    public override Span<byte> Span => _bytes ?? throw new ObjectDisposedException(nameof(ForeignHostBuffer));

    public override void Dispose()
    {
        if (_bytes is null)
            return;
        _bytes = null;
        _device.Died(this);
    }
}
