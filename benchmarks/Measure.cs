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
}
