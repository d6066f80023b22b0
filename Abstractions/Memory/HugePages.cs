using System.Runtime.InteropServices;

namespace Portable;

/// <summary>
/// Native memory for large blocks. What spans huge pages is aligned to them, and Linux is asked for them: they save page faults when the block is filled
/// and address translations when it is streamed. A system that declines changes nothing but speed.
/// </summary>
internal static unsafe partial class HugePages
{
    /// <summary>Blocks of fewer bytes stay in ordinary pages.</summary>
    public const long Least = 2 * Size;

    private const long Size = 2 << 20;
    private const int AdviseHugePage = 14; // MADV_HUGEPAGE of Linux

    /// <summary>Takes memory aligned to at least 64 bytes, to be given back with <see cref="NativeMemory.AlignedFree"/>.</summary>
    public static byte* Allocate(long bytes)
    {
        const int Alignment = 64;
        bool isHuge = bytes >= Least;
        var data = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, Alignment), isHuge ? (nuint)Size : Alignment);
        if (isHuge && OperatingSystem.IsLinux())
            Advise(data, bytes);
        return data;
    }

    private static void Advise(byte* data, long bytes)
    {
        try
        {
            _ = Advise(data, (nuint)bytes, AdviseHugePage);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            // A system without this call has no huge pages to ask for.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
