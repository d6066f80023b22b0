using BenchmarkDotNet.Attributes;
using Portable.Backends.Cpu;

namespace Portable.Benchmarks.Kernels;

/// <summary>Products of packed matrices with Qwen2.5-1.5B's shapes.</summary>
public unsafe class PackedKernelBenchmark
{
    // More than most last-level caches hold.
    private const long Streamed = 128 << 20;

    private static readonly (string Name, WeightFormat Format)[] Formats =
    [
        ("u4 g32 zero 8", new(WeightEncoding.UInt4, 32, GroupOffset.ZeroPoint)), ("u4 g32 affine", new(WeightEncoding.UInt4, 32, GroupOffset.Minimum)),
        ("u4 g128 affine", new(WeightEncoding.UInt4, 128, GroupOffset.Minimum)), ("s6 g16", new(WeightEncoding.Int8, 16)), ("s8 g32", new(WeightEncoding.Int8, 32)),
    ];

    private WorkerPool _pool = null!;
    private PackedScratch _scratch = null!;
    private PackedMatrix[] _copies = [];
    private float[] _x = [], _y = [];
    private int _next;

    [ParamsSource(nameof(Cases))]
    public PackedCase Case { get; set; } = null!;

    public static IEnumerable<PackedCase> Cases =>
        from tokens in new[] { 1, 128 }
        from shape in KernelBenchmarks.IsQuick ? [(8960, 1536)] : new[] { (1536, 1536), (8960, 1536), (1536, 8960) }
        from format in Formats
        select new PackedCase(shape.Item1, shape.Item2, format.Name, format.Format, tokens);

    [GlobalSetup]
    public void Setup()
    {
        _pool = new WorkerPool(KernelBenchmarks.Threads);
        _scratch = new PackedScratch();
        using WeightMatrix matrix = PackedBenchmarks.Random(Case.Rows, Case.Columns, Case.FormatName, Case.Format);
        _copies = new PackedMatrix[Case.Bound == Bound.Memory ? (int)Math.Max(1, Streamed / Case.Bytes) : 1];
        for (int i = 0; i < _copies.Length; i++)
            _copies[i] = PackedMatrix.Pack(matrix, _pool);
        _x = new float[Case.Tokens * Case.Columns];
        _y = new float[Case.Tokens * Case.Rows];
        Array.Fill(_x, 0.5f);
    }

    [Benchmark]
    public void Packed()
    {
        _next = (_next + 1) % _copies.Length;
        fixed (float* x = _x, y = _y)
            PackedProduct.Multiply(_copies.AsSpan(_next, 1), x, Case.Columns, Case.Tokens, y, Case.Rows, null, false, _pool, _scratch);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (PackedMatrix copy in _copies)
            copy.Dispose();
        _scratch.Dispose();
        _pool.Dispose();
    }
}
