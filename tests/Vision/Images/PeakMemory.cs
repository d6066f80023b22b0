using System.Globalization;

namespace Portable.Tests.Vision.Images;

/// <summary>Peak resident memory of this process, native allocations included. Linux alone; zero elsewhere.</summary>
internal static class PeakMemory
{
    /// <summary>Sets the peak to what is resident now, and returns it in bytes.</summary>
    public static long Reset()
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Without the right to reset it, the peak so far is the base, and growth beyond it is still seen.
            TestContext.Out.WriteLine($"peak memory cannot be reset: {error.Message}");
        }

        return Read();
    }

    /// <summary>The peak in bytes.</summary>
    public static long Read()
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
    }
}
