using System.Diagnostics;

namespace Portable.Fuzzing;

/// <summary>What a run over a target found.</summary>
/// <param name="Target">Its name.</param>
/// <param name="Inputs">Inputs read.</param>
/// <param name="Refused">Those that were refused with a typed error.</param>
/// <param name="Longest">The longest that one took, the garbage collector's pauses included.</param>
/// <param name="MostAllocated">The most managed bytes that one allocated.</param>
/// <param name="Seconds">Time of all.</param>
/// <param name="Fault">What went wrong first, or null.</param>
internal sealed record FuzzRun(string Target, int Inputs, int Refused, TimeSpan Longest, long MostAllocated, double Seconds, string? Fault)
{
    /// <summary>No input takes longer, ten times what the slowest does on a slow machine.</summary>
    public static TimeSpan MostTime { get; } = TimeSpan.FromSeconds(5);

    // Grids, tables of the alphabet and the templates' own bound (4 MiB) do not grow with the input.
    private const long FixedBytes = 64L << 20;
    private const long BytesPerByte = 2000;

    /// <summary>Reads mutated inputs one after another, until one is not refused or read as it should be.</summary>
    public static FuzzRun Over(FuzzTarget target, int count, int seed)
    {
        var mutator = new Mutator(seed, target.Seeds);
        int refused = 0;
        TimeSpan longest = default;
        long most = 0;
        var all = Stopwatch.StartNew();
        for (int i = 0; i < count; i++)
        {
            byte[] input = mutator.Next();
            long before = GC.GetAllocatedBytesForCurrentThread();
            long started = Stopwatch.GetTimestamp();
            string? fault = null;
            try
            {
                target.Read(input);
            }
            catch (PortableException)
            {
                refused++;
            }
#pragma warning disable CA1031 // Whatever else leaves a reader is what is looked for.
            catch (Exception error)
#pragma warning restore CA1031
            {
                fault = $"{error.GetType().Name}: {error.Message} at {error.StackTrace?.Split('\n').FirstOrDefault(l => l.Contains("Portable", StringComparison.Ordinal))?.Trim()}";
            }

            TimeSpan taken = Stopwatch.GetElapsedTime(started);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            (longest, most) = (taken > longest ? taken : longest, Math.Max(most, allocated));
            fault ??= taken > MostTime ? $"took {taken.TotalSeconds:f1} s"
                : allocated > FixedBytes + (BytesPerByte * input.Length) ? $"allocated {allocated:N0} bytes for {input.Length:N0} of input" : null;
            if (fault is not null)
            {
                string kept = Path.Combine(Path.GetTempPath(), $"fuzz-{target.Name.Replace(' ', '-')}-{seed}-{i}.bin");
                File.WriteAllBytes(kept, input);
                return new(target.Name, i + 1, refused, longest, most, all.Elapsed.TotalSeconds, $"input {i} of seed {seed} ({kept}): {fault}");
            }
        }

        return new(target.Name, count, refused, longest, most, all.Elapsed.TotalSeconds, null);
    }
}
