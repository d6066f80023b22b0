namespace Portable.Backends.Cpu;

/// <summary>A buffer that the host can address.</summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private readonly NativeBlock _block;

    /// <summary>Takes ownership of the block.</summary>
    public CpuBuffer(CpuDevice device, NativeBlock block, Action? release) : base(device, block.Bytes, release) => _block = block;

    /// <summary>The first byte, 64-byte aligned.</summary>
    public byte* Pointer => _block.Data;

    /// <inheritdoc/>
    protected override void Free() => _block.Dispose();
}
