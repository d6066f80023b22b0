namespace Portable.Testing.Foreign;

/// <summary>A handle of device memory; nothing about it can be addressed by the host.</summary>
internal sealed class ForeignBuffer : DeviceBuffer
{
    private readonly ForeignDevice _device;

    internal ForeignBuffer(ForeignDevice device, long bytes, MemoryKind kind, Action release) : base(device, bytes, release)
    {
        _device = device;
        string description = $"a {kind} buffer of {bytes} bytes";
        try
        {
            Handle = device.Memory.Allocate(bytes, description);
        }
        catch
        {
            release();
            throw;
        }

        device.Born(this, description);
    }

    internal int Handle { get; }

    protected override void Free()
    {
        _device.Memory.Free(Handle);
        _device.Died(this);
    }
}
