namespace Portable.Backends.Cpu;

/// <summary>
/// Native memory that <see cref="PackedProduct"/> works in; grows to the largest product seen and is then reused. One
/// product at a time.
/// </summary>
internal sealed unsafe class PackedScratch : IDisposable
{
    private NativeBlock? _memory;

    /// <summary>Native memory taken.</summary>
    public long Bytes => _memory?.Bytes ?? 0;

    /// <summary>Memory of at least this many bytes, aligned to 64; what it held before is lost.</summary>
    public byte* Take(long bytes)
    {
        if (_memory is null || _memory.Bytes < bytes)
        {
            _memory?.Dispose();
            _memory = null;
            _memory = new NativeBlock(bytes);
        }

        return _memory.Data;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory?.Dispose();
        _memory = null;
    }
}
