using System.Runtime.InteropServices;

namespace Portable.Testing;

/// <summary>
/// A block that ends exactly where a page that may not be touched begins, so that a kernel reading or writing one
/// element too far ends the process at once. Where the system has no mmap the block is an ordinary one.
/// </summary>
public sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int ReadWrite = 3, PrivateAnonymous = 0x22;
    private readonly nint _mapping;
    private readonly nuint _mapped;
    private readonly byte* _start;

    /// <summary>Allocates bytes, zeroed.</summary>
    public GuardedMemory(int bytes)
    {
        Bytes = bytes;
        if (!OperatingSystem.IsLinux())
        {
            _start = (byte*)NativeMemory.AllocZeroed((nuint)Math.Max(bytes, 1));
            return;
        }

        int page = Environment.SystemPageSize;
        int usable = (bytes + page - 1) / page * page;
        _mapped = (nuint)(usable + page);
        _mapping = Map(0, _mapped, ReadWrite, PrivateAnonymous, -1, 0);
        if (_mapping == -1 || Protect(_mapping + usable, (nuint)page, 0) != 0)
            throw new InvalidOperationException($"mmap of {_mapped} bytes failed: error {Marshal.GetLastPInvokeError()}");
        _start = (byte*)_mapping + usable - bytes;
    }

    /// <summary>The usable size.</summary>
    public int Bytes { get; }

    /// <summary>The first byte.</summary>
    public byte* Pointer => _start;

    /// <summary>The first element as float32.</summary>
    public float* Floats => (float*)_start;

    /// <summary>The block as values of one type.</summary>
    public Span<T> As<T>() where T : unmanaged => new(_start, Bytes / sizeof(T));

    /// <summary>A block holding exactly these values.</summary>
    public static GuardedMemory Of<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        var memory = new GuardedMemory(values.Length * sizeof(T));
        values.CopyTo(memory.As<T>());
        return memory;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_mapped == 0)
            NativeMemory.Free(_start);
        else
            _ = Unmap(_mapping, _mapped);
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);
}
