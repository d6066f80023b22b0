using Portable.Backends.Cpu;

namespace Portable.Benchmarks;

/// <summary>The fixed cost of a parallel section.</summary>
internal static unsafe class PoolBenchmark
{
    public static void Run(int threads)
    {
        using var pool = new WorkerPool(threads);
        Console.WriteLine($"{threads} threads, empty chunks");
        foreach (int chunks in new[] { 1, 2, 4, 8, 16, 32 })
        {
            double seconds = Measure.Best(0.3, () =>
            {
                for (int i = 0; i < 1000; i++)
                    pool.Run(&Nothing, null, chunks);
            });
            Console.WriteLine($"{chunks,4} chunks {seconds * 1e6,8:f0} ns a section");
        }
    }

    private static void Nothing(void* argument, int worker, int chunk)
    {
    }
}
