using System.Diagnostics;
using System.Globalization;

namespace Portable.Cli;

/// <summary>Memory of the process and the machine, from Linux's /proc where it exists (proc(5)), else from the runtime.</summary>
internal static class ProcessMemory
{
    /// <summary>The most bytes that this process has had resident, mapped files included.</summary>
    public static long Peak()
    {
        if (Read("/proc/self/status", "VmHWM:") is { } bytes)
            return bytes;
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }

    /// <summary>Bytes that new work can take without swapping.</summary>
    public static long Available()
    {
        GCMemoryInfo info = GC.GetGCMemoryInfo();
        return Read("/proc/meminfo", "MemAvailable:") ?? Math.Max(0, info.TotalAvailableMemoryBytes - info.MemoryLoadBytes);
    }

    private static long? Read(string file, string field)
    {
        try
        {
            foreach (string line in File.ReadLines(file))
            {
                if (line.StartsWith(field, StringComparison.Ordinal)
                    && long.TryParse(line.AsSpan(field.Length).Trim().TrimEnd("kB").Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long kibibytes))
                    return kibibytes * 1024;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Another system: the caller asks the runtime.
        }

        return null;
    }
}
