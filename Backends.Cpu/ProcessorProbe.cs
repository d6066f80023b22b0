using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Portable.Backends.Cpu;

/// <summary>Describes the processor from what the runtime and the operating system tell. Never throws for what is missing.</summary>
internal static class ProcessorProbe
{
    /// <summary>The processor as device 0.</summary>
    public static DeviceInfo Describe(string backend) => new(
        backend,
        0,
        Field("/proc/cpuinfo", "model name") ?? $"{RuntimeInformation.ProcessArchitecture} processor",
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        [
            new("cores", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)),
            new("instruction sets", string.Join(' ', InstructionSets())),
            new("vector bits", VectorBits().ToString(CultureInfo.InvariantCulture)),
        ]);

    /// <summary>Memory that this process may still use: the container's or the machine's, whichever is less.</summary>
    public static long AvailableMemory()
    {
        long limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        string? available = Field("/proc/meminfo", "MemAvailable")?.Split(' ')[0];
        return long.TryParse(available, CultureInfo.InvariantCulture, out long kibibytes) && kibibytes > 0
            ? Math.Min(limit, kibibytes * 1024)
            : limit;
    }

    private static int VectorBits() =>
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 32;

    private static IEnumerable<string> InstructionSets()
    {
        if (Sse42.IsSupported)
            yield return "SSE4.2";
        if (Avx2.IsSupported)
            yield return "AVX2";
        if (Fma.IsSupported)
            yield return "FMA";
        if (AvxVnni.IsSupported)
            yield return "AVX-VNNI";
        if (Avx512BW.IsSupported)
            yield return "AVX-512";
        if (AdvSimd.IsSupported)
            yield return "AdvSIMD";
        if (Dp.IsSupported)
            yield return "DotProd";
        if (!Vector128.IsHardwareAccelerated)
            yield return "scalar";
    }

    private static string? Field(string file, string key)
    {
        try
        {
            foreach (string line in File.ReadLines(file))
            {
                int colon = line.IndexOf(':', StringComparison.Ordinal);
                if (colon > 0 && line.AsSpan(0, colon).Trim().SequenceEqual(key))
                    return line[(colon + 1)..].Trim();
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The file belongs to Linux; elsewhere the runtime's own answer stands.
        }

        return null;
    }
}
