using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Portable.Backends.Cpu;

namespace Portable.Benchmarks.Kernels;

/// <summary>One row times a matrix of 16-bit weights that is larger than the caches.</summary>
public unsafe class HeadKernelBenchmark
{
    private readonly float[] _x = new float[HeadCase.Columns], _y = new float[HeadCase.Rows];
    private WorkerPool _pool = null!;
    private CpuWorkspace _workspace = null!;
    private CanonicalMatrix _matrix = null!;

    [ParamsSource(nameof(Cases))]
    public HeadCase Case { get; set; } = null!;

    public static IEnumerable<HeadCase> Cases => [new(WeightEncoding.BFloat16), new(WeightEncoding.Float16)];

    [GlobalSetup]
    public void Setup()
    {
        _pool = new WorkerPool(KernelBenchmarks.Threads);
        _workspace = new CpuWorkspace(KernelBenchmarks.Threads);
        using WeightMatrix matrix = WeightMatrix.Allocate("random", HeadCase.Rows, HeadCase.Columns, new(Case.Encoding));
        var random = new Random(1);
        // Normal numbers in either format: the exponent's high bits are fixed.
        for (int row = 0; row < HeadCase.Rows; row++)
        {
            random.NextBytes(matrix.Codes(row));
            foreach (ref ushort code in MemoryMarshal.Cast<byte, ushort>(matrix.Codes(row)))
                code = (ushort)((code & 0x83FF) | 0x3800);
        }

        _matrix = CanonicalMatrix.Copy(matrix);
        Array.Fill(_x, 0.5f);
    }

    [Benchmark]
    public void Head()
    {
        fixed (float* x = _x, y = _y)
        {
            _matrix.Multiply(
                new FloatRows(x, HeadCase.Columns, 1, HeadCase.Columns), new FloatRows(y, HeadCase.Rows, 1, HeadCase.Rows), null, false, _pool, _workspace);
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _matrix.Dispose();
        _workspace.Dispose();
        _pool.Dispose();
    }
}
