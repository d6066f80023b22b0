namespace Portable.Backends.Cpu;

/// <summary>
/// Scratch memory of one stream, kept between operators and grown rarely, so that operators allocate nothing in steady
/// state. Its content lasts until the next request for the same part.
/// </summary>
internal sealed unsafe class CpuWorkspace(int workers) : IDisposable
{
    private const long WorthHugePages = 1 << 20;

    private NativeBlock? _shared;
    private NativeBlock? _private;

    /// <summary>Memory of packed products.</summary>
    public PackedScratch Packed { get; } = new();

    /// <summary>Memory that all workers of a job see.</summary>
    public byte* Shared(long bytes) => Grow(ref _shared, bytes).Data;

    /// <summary>Memory of which worker w uses the bytes from w * bytesPerWorker; the size is rounded up to the alignment.</summary>
    public byte* Private(ref long bytesPerWorker)
    {
        bytesPerWorker = NativeBlock.Align(bytesPerWorker);
        return Grow(ref _private, checked(bytesPerWorker * workers)).Data;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _shared?.Dispose();
        _private?.Dispose();
        Packed.Dispose();
    }

    private static NativeBlock Grow(ref NativeBlock? block, long bytes)
    {
        if (block is not null && block.Bytes >= bytes)
            return block;
        block?.Dispose();
        block = null;
        // Half as much again, so that slowly growing requests do not allocate each time; and what is larger than a first-level
        // cache's translations reach, in huge pages.
        bytes = NativeBlock.Align(checked(bytes + (bytes / 2)));
        return block = new NativeBlock(bytes < WorthHugePages ? bytes : Math.Max(bytes, HugePages.Least));
    }
}
