using System.Diagnostics;

namespace Portable.Benchmarks;

/// <summary>The best of repeated timings: on a machine shared with others, what the code does when it is let.</summary>
internal static class Measure
{
    /// <summary>The shortest time of a call, in seconds, of calls that take about this many seconds in all.</summary>
    public static double Best(double budget, Action action)
    {
        action();
        double best = double.MaxValue;
        int calls = 0;
        long start = Stopwatch.GetTimestamp();
        while (calls < 5 || Stopwatch.GetElapsedTime(start).TotalSeconds < budget)
        {
            long begin = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(begin).TotalSeconds);
            calls++;
        }

        return best;
    }

    /// <summary>
    /// The time of one call that a tenth of the calls stay below, in seconds; call(i) is made for i = 0, 1, ... count - 1,
    /// 0, ... so that data named by i has left the caches before it comes again.
    /// </summary>
    public static double TenthPercentile(double budget, int count, Action<int> call)
    {
        var times = new List<double>();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; times.Count < 2 * count || Stopwatch.GetElapsedTime(start).TotalSeconds < budget; i = (i + 1) % count)
        {
            long begin = Stopwatch.GetTimestamp();
            call(i);
            times.Add(Stopwatch.GetElapsedTime(begin).TotalSeconds);
        }

        times.Sort();
        return times[times.Count / 10];
    }

    /// <summary>The middle value, or the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
