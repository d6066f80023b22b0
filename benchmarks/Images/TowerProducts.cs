using System.Diagnostics;
using System.Runtime.InteropServices;
using Portable.Backends.Cpu;
using Portable.Benchmarks.Models;

namespace Portable.Benchmarks.Images;

/// <summary>A tower's matrix products alone, on random activations.</summary>
internal static unsafe class TowerProducts
{
    private const int Rounds = 8;

    public static void Run(int threads, QwenTower tower, int patches, double peak)
    {
        using var pool = new WorkerPool(threads);
        using var workspace = new CpuWorkspace(threads);
        double seconds = 0, operations = 0;
        Console.WriteLine($"{"product",-17}{"rows",6}{"shape",14}{"GFLOPS",9}{"of peak",10}");
        foreach ((string name, int count, int rows, int columns, int outputs) in tower.Products(patches))
        {
            double one = Time(rows, columns, outputs, pool, workspace), work = 2.0 * rows * columns * outputs;
            Console.WriteLine($"{name,-17}{rows,6}{columns + "x" + outputs,14}{work / one / 1e9,9:f1}{work / one / 1e9 / peak,10:p1}");
            seconds += count * one;
            operations += count * work;
        }

        double all = operations / seconds / 1e9;
        Console.WriteLine($"all, as often as the tower has them: {seconds:f1} s, {all:f1} GFLOPS, {all / peak:p1} of the peak (at least 70 %: {(all >= 0.7 * peak ? "yes" : "NO")})");
    }

    private static double Time(int rows, int columns, int outputs, WorkerPool pool, CpuWorkspace workspace)
    {
        var random = new Random(1);
        using WeightMatrix matrix = WeightMatrix.Allocate("random", outputs, columns, new(WeightEncoding.BFloat16));
        for (int row = 0; row < outputs; row++)
        {
            foreach (ref ushort code in MemoryMarshal.Cast<byte, ushort>(matrix.Codes(row)))
                code = (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) >> 16);
        }

        using CanonicalMatrix canonical = CanonicalMatrix.Copy(matrix);
        float[] x = new float[rows * columns], y = new float[rows * outputs];
        foreach (ref float value in x.AsSpan())
            value = random.NextSingle() - 0.5f;
        fixed (float* px = x, py = y)
        {
            double best = double.MaxValue;
            // The first only warms up.
            for (int round = 0; round <= Rounds; round++)
            {
                int count = round == 0 ? 64 : rows;
                long begin = Stopwatch.GetTimestamp();
                canonical.Multiply(new FloatRows(px, columns, count, columns), new FloatRows(py, outputs, count, outputs), null, false, pool, workspace);
                if (round > 0)
                    best = Math.Min(best, Stopwatch.GetElapsedTime(begin).TotalSeconds);
            }

            return best;
        }
    }
}
