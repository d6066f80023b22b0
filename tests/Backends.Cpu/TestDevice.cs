using Portable.Backends.Cpu;

namespace Portable.Tests;

/// <summary>A CPU device with a stream and short ways to put values in and get them out.</summary>
internal sealed class TestDevice : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    public TestDevice(int threads = 2, NumericMode numerics = NumericMode.Reference)
    {
        var backend = new CpuBackend();
        Device = backend.Open(backend.Probe().Devices[0], new DeviceOptions { Threads = threads, Numerics = numerics, MemoryBudgetBytes = 1L << 30 });
        Stream = Device.CreateStream();
    }

    public Device Device { get; }

    public CommandStream Stream { get; }

    public TensorView Empty(int rows, int columns, ElementType type = ElementType.Float32) =>
        Own(Device.Allocate((long)rows * columns * type.Size(), MemoryKind.Workspace)).View(type, rows, columns);

    public TensorView Floats(int rows, int columns, float[] values) => Filled(rows, columns, ElementType.Float32, values);

    public TensorView Normal(int seed, int rows, int columns) => Floats(rows, columns, Values.Normal(seed, rows * columns));

    public TensorView Ints(params int[] values) => Filled(1, values.Length, ElementType.Int32, values);

    public TensorView Ints(int rows, int columns, int[] values) => Filled(rows, columns, ElementType.Int32, values);

    public DeviceWeight Weight(WeightStacking stacking, params WeightMatrix[] parts) => Own(Device.LoadWeight(parts, stacking));

    public KvCache Cache(KvCacheLayout layout) => Own(Device.CreateKvCache(layout));

    public float[] Read(TensorView view)
    {
        TensorView whole = Empty(view.Rows, view.Columns);
        Stream.Copy(view, whole);
        using HostBuffer host = Device.AllocateHost(whole.Length * 4);
        Stream.Download(whole, host);
        Stream.Synchronize();
        return host.As<float>().ToArray();
    }

    public void Dispose()
    {
        Stream.Dispose();
        foreach (IDisposable owned in _owned)
            owned.Dispose();
        Assert.That(Device.ReservedBytes, Is.Zero, "everything given back");
        Device.Dispose();
    }

    private TensorView Filled<T>(int rows, int columns, ElementType type, T[] values) where T : unmanaged
    {
        TensorView view = Empty(rows, columns, type);
        Stream.Upload<T>(view, values);
        return view;
    }

    private T Own<T>(T owned) where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }
}
