using Portable.Backends.Cpu;

namespace Portable.Benchmarks.Kernels;

/// <summary>The tile kernel of a format on data in the first-level cache, by all threads at once: what products of packed matrices could reach at best.</summary>
internal static unsafe class TilePeak
{
    private const int Columns = 576, Blocks = Columns / 32, Rows = 32, Tokens = 4, Calls = 1000;
    private const int MemoryOfWorker = 1 << 20;

    private struct Job
    {
        public PackedKernels Kernels;
        public byte* Memory;
    }

    /// <summary>Billions of operations a second, 2 for a multiply-add.</summary>
    public static double GigaOps(int threads, WeightFormat format)
    {
        using var pool = new WorkerPool(threads);
        using var memory = new NativeBlock((long)MemoryOfWorker * threads);
        for (int i = 0; i < threads; i++)
            new Span<byte>(memory.Data + (i * (long)MemoryOfWorker), MemoryOfWorker).Clear();
        using WeightMatrix matrix = PackedBenchmarks.Random(Rows, Columns, "", format);
        using PackedMatrix packed = PackedMatrix.Pack(matrix, pool);
        var job = new Job { Kernels = PackedKernels.FastestFor(packed.Shape), Memory = memory.Data };
        if (job.Kernels.Tile is null)
            return double.NaN;
        nint argument = (nint)(&job);
        return 2.0 * Tokens * Rows * Columns * Calls * threads / Measure.Best(0.2, () => pool.Run(&Chunk, (void*)argument, threads)) / 1e9;
    }

    private static void Chunk(void* argument, int worker, int chunk)
    {
        var job = (Job*)argument;
        byte* memory = job->Memory + (chunk * (long)MemoryOfWorker);
        var factors = (float*)(memory + 65536);
        var rows = new ActivationRows((sbyte*)(memory + (1 << 18)), factors + 16384, factors + 20000, (int*)(factors + 24000));
        for (int i = 0; i < Calls; i++)
            job->Kernels.Tile(memory, factors, &rows, Blocks, factors + 8192);
    }
}
