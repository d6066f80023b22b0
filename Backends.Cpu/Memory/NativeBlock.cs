using System.Runtime.InteropServices;

namespace Portable.Backends.Cpu;

/// <summary>Native memory for weights, buffers and scratch: aligned, its content undefined, given back once.</summary>
internal sealed unsafe class NativeBlock : IDisposable
{
    /// <summary>The alignment of every block: that of the widest vectors and of cache lines.</summary>
    public const int Alignment = 64;

    private readonly bool _isBorrowed;
    private byte* _data;

    private NativeBlock(byte* data, long bytes)
    {
        _data = data;
        Bytes = bytes;
        _isBorrowed = true;
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Takes memory aligned to 64 bytes, or to huge pages where it spans them; see <see cref="HugePages"/>.
    /// </summary>
    public NativeBlock(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        _data = HugePages.Allocate(bytes);
        GC.AddMemoryPressure(Math.Max(bytes, 1));
    }

    /// <summary>Frees memory that was never disposed of.</summary>
    ~NativeBlock() => Free();

    /// <summary>The first byte.</summary>
    public byte* Data => _data;

    /// <summary>Bytes usable.</summary>
    public long Bytes { get; }

    /// <summary>Memory of another owner, who keeps it until this block has been disposed of. It is only read.</summary>
    public static NativeBlock Borrow(byte* data, long bytes) => new(data, bytes);

    /// <summary>A size rounded up to the alignment.</summary>
    public static long Align(long bytes) => checked(bytes + (Alignment - 1)) & ~(Alignment - 1L);

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        byte* data = _data;
        _data = null;
        if (data is null || _isBorrowed)
            return;
        NativeMemory.AlignedFree(data);
        GC.RemoveMemoryPressure(Math.Max(Bytes, 1));
    }
}
