namespace Portable.Backends.Cpu;

/// <summary>Host memory for downloads.</summary>
internal sealed unsafe class CpuHostBuffer(NativeBlock block) : HostBuffer
{
    /// <inheritdoc/>
    public override Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(block.Data is null, this);
            return new(block.Data, checked((int)block.Bytes));
        }
    }

    /// <inheritdoc/>
    public override void Dispose() => block.Dispose();
}
