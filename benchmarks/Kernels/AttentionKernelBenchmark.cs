using BenchmarkDotNet.Attributes;
using Portable.Backends.Cpu;

namespace Portable.Benchmarks.Kernels;

/// <summary>Attention over a paged cache of as many layers as Qwen2.5-1.5B has; each call takes the next one, so that keys and values come from memory.</summary>
public class AttentionKernelBenchmark
{
    private const int Layers = 28;

    private readonly AttentionParameters _form = new(AttentionCase.Heads, AttentionCase.KeyHeads, AttentionCase.HeadSize, (float)(1 / Math.Sqrt(AttentionCase.HeadSize)));
    private readonly Stack<IDisposable> _owned = [];
    private CommandStream _stream = null!;
    private KvCache _cache = null!;
    private TensorView _query, _output;
    private PagedBatch _batch;
    private int _layer;

    [ParamsSource(nameof(Cases))]
    public AttentionCase Case { get; set; } = null!;

    public static IEnumerable<AttentionCase> Cases => [new(4096, 1), new(512, 512)];

    [GlobalSetup]
    public void Setup()
    {
        var options = new DeviceOptions { Numerics = NumericMode.Fast, Threads = KernelBenchmarks.Threads };
        Device device = Own(new BackendSelector([new CpuBackend()]).Select("cpu", options).Open(options));
        _stream = Own(device.CreateStream());
        int pageSize = device.Capabilities.PageSizes[0], pages = (Case.Context + pageSize - 1) / pageSize;
        _cache = Own(device.CreateKvCache(new(Layers, AttentionCase.KeyHeads, AttentionCase.HeadSize, AttentionCase.HeadSize, pageSize, pages, KvFormat.Float16)));
        TensorView keys = Floats(Case.Context, AttentionCase.KeyHeads * AttentionCase.HeadSize);
        TensorView slots = Integers([.. Enumerable.Range(0, Case.Context)]);
        for (int layer = 0; layer < Layers; layer++)
            _stream.KvWrite(keys, keys, _cache, layer, slots);
        _query = Floats(Case.Tokens, AttentionCase.Heads * AttentionCase.HeadSize);
        _output = Floats(Case.Tokens, AttentionCase.Heads * AttentionCase.HeadSize);
        _batch = new(Integers([0, Case.Tokens]), Integers([Case.Context]), Integers([.. Enumerable.Range(0, pages)]), 1, Case.Tokens, Case.Context);
        _stream.Synchronize();

        TensorView Floats(int rows, int columns)
        {
            var random = new Random(1);
            float[] values = [.. Enumerable.Range(0, rows * columns).Select(_ => random.NextSingle() - 0.5f)];
            TensorView view = Own(device.Allocate(sizeof(float) * values.Length, MemoryKind.Workspace)).View(ElementType.Float32, rows, columns);
            _stream.Upload<float>(view, values);
            return view;
        }

        TensorView Integers(int[] values)
        {
            TensorView view = Own(device.Allocate(sizeof(int) * values.Length, MemoryKind.Workspace)).View(ElementType.Int32, 1, values.Length);
            _stream.Upload<int>(view, values);
            return view;
        }
    }

    [Benchmark]
    public void PagedAttention()
    {
        _layer = (_layer + 1) % Layers;
        _stream.PagedAttention(_query, _cache, _layer, _batch, _form, _output);
        _stream.Synchronize();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        while (_owned.TryPop(out IDisposable? owned))
            owned.Dispose();
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }
}
