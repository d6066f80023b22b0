using System.Runtime.InteropServices;

namespace Portable.Backends.Cpu;

/// <summary>Host memory outside the managed heap, 64-byte aligned for the widest vectors, its content undefined.</summary>
internal sealed unsafe class NativeBlock : IDisposable
{
    /// <summary>The alignment of every block.</summary>
    public const int Alignment = 64;

    private void* _memory;

    /// <summary>Allocates; throws <see cref="OutOfMemoryException"/> when the system refuses.</summary>
    public NativeBlock(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        _memory = NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, Alignment), Alignment);
    }

    /// <summary>Frees a block that was never disposed of.</summary>
    ~NativeBlock() => Free();

    /// <summary>The usable size.</summary>
    public long Bytes { get; }

    /// <summary>The first byte.</summary>
    public byte* Pointer => (byte*)_memory;

    /// <summary>The next multiple of the alignment.</summary>
    public static long Align(long bytes) => checked(bytes + (Alignment - 1)) & ~(Alignment - 1L);

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        void* memory = _memory;
        _memory = null;
        if (memory is not null)
            NativeMemory.AlignedFree(memory);
    }
}
