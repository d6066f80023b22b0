using System.Diagnostics;

namespace Portable.Benchmarks;

/// <summary>Medians of repeated timings.</summary>
internal static class Measure
{
    /// <summary>The median time of a call, in seconds, over about this many seconds in all.</summary>
    public static double Median(double budget, Action action)
    {
        action();
        var times = new List<double>();
        long start = Stopwatch.GetTimestamp();
        while (times.Count < 5 || Stopwatch.GetElapsedTime(start).TotalSeconds < budget)
        {
            long begin = Stopwatch.GetTimestamp();
            action();
            times.Add(Stopwatch.GetElapsedTime(begin).TotalSeconds);
        }

        times.Sort();
        return times[times.Count / 2];
    }
}
