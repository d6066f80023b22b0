using System.Globalization;
using System.Runtime.InteropServices;
using Portable.Backends.Cpu;

namespace Portable.Benchmarks;

/// <summary>What a result must name, and what the system says of this process; Linux.</summary>
internal static partial class Machine
{
    /// <summary>The processor's name.</summary>
    public static string Processor { get; } = File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(static l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "unknown processor"
        : RuntimeInformation.OSDescription;

    /// <summary>Processor, instructions and threads, which every figure is printed with.</summary>
    public static string Conditions(int threads) => $"{Processor}, {PackedKernels.Best}, {threads} threads";

    /// <summary>Resident bytes of this process that belong to no file.</summary>
    public static long AnonymousBytes() => Status("RssAnon:");

    /// <summary>The most resident bytes so far, mapped files included.</summary>
    public static long PeakBytes() => Status("VmHWM:");

    /// <summary>Resident bytes of mapped files, which processes that map them too share.</summary>
    public static long SharedBytes() => Status("RssFile:");

    /// <summary>Makes the system forget a file's pages, so that the next read comes from disk.</summary>
    public static void DropFromCache(string path)
    {
        const int DontNeed = 4;
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Flush(flushToDisk: true);
        int status = Advise((int)file.SafeFileHandle.DangerousGetHandle(), 0, 0, DontNeed);
        if (status != 0)
            throw new IOException($"posix_fadvise gave {status}");
    }

    private static long Status(string field)
    {
        foreach (string line in File.ReadLines("/proc/self/status"))
        {
            if (line.StartsWith(field, StringComparison.Ordinal))
                return 1024 * long.Parse(line.AsSpan(field.Length).Trim().TrimEnd("kB").Trim(), NumberStyles.None, CultureInfo.InvariantCulture);
        }

        throw new NotSupportedException($"/proc/self/status has no {field}");
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(int file, long offset, long length, int advice);
}
