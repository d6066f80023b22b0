using Microsoft.Extensions.DependencyInjection;
using Portable.Backends.Cpu;

namespace Portable.Tests;

/// <summary>The device as a whole: probe, registration, budget, threads, allocation.</summary>
public sealed class CpuDeviceTests
{
    [Test]
    public void The_probe_finds_one_processor_with_its_name_cores_and_instruction_sets()
    {
        BackendProbe probe = new CpuBackend().Probe();
        Assert.That(probe.IsUsable);
        DeviceInfo device = probe.Devices.Single();
        Assert.That(device.Id, Is.EqualTo("cpu:0"));
        Assert.That(device.Name, Is.Not.Empty);
        Assert.That(device.TotalMemoryBytes, Is.Positive);
        Assert.That(device.Details.Select(d => d.Key), Is.EqualTo(new[] { "cores", "instruction sets", "vector bits" }));
        Assert.That(probe.Reason, Does.Contain(device.Name));
    }

    [Test]
    public void Adding_the_backend_twice_registers_it_once_and_auto_selects_it()
    {
        var services = new ServiceCollection();
        services.AddPortable().AddCpuBackend().AddCpuBackend();
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.That(provider.GetServices<IBackend>().ToArray(), Has.Length.EqualTo(1).And.All.TypeOf<CpuBackend>());
        SelectedDevice selected = provider.GetRequiredService<BackendSelector>().Select("auto", new DeviceOptions());
        using Device device = selected.Open(new DeviceOptions());
        Assert.That(device.Info.Id, Is.EqualTo("cpu:0"));
    }

    [Test]
    public void The_default_kv_format_follows_the_numeric_mode()
    {
        var backend = new CpuBackend();
        DeviceInfo device = backend.Probe().Devices[0];
        Assert.That(backend.GetCapabilities(device, new() { Numerics = NumericMode.Reference }).KvFormats[0], Is.EqualTo(KvFormat.Float32));
        Assert.That(backend.GetCapabilities(device, new() { Numerics = NumericMode.Fast }).KvFormats[0], Is.EqualTo(KvFormat.Float16));
    }

    [Test]
    public void What_does_not_fit_the_budget_is_refused_and_what_is_disposed_of_is_given_back()
    {
        var backend = new CpuBackend();
        using Device device = backend.Open(backend.Probe().Devices[0], new() { MemoryBudgetBytes = 1000, Threads = 1 });
        using (device.Allocate(600, MemoryKind.Vision))
        {
            Assert.That(device.ReservedBytesFor(MemoryKind.Vision), Is.EqualTo(600));
            Assert.That(() => device.Allocate(600, MemoryKind.Workspace), Throws.TypeOf<DeviceOutOfMemoryException>().With.Property("AvailableBytes").EqualTo(400));
            Assert.That(() => device.CreateKvCache(new(1, 1, 64, 64, 32, 1, KvFormat.Float32)), Throws.TypeOf<DeviceOutOfMemoryException>());
        }

        Assert.That(device.ReservedBytes, Is.Zero);
        Assert.That(
            () => device.CreateKvCache(new(int.MaxValue, int.MaxValue, 64, 64, int.MaxValue, int.MaxValue, KvFormat.Float32)),
            Throws.TypeOf<DeviceOutOfMemoryException>(), "a size beyond 2^63");
        Assert.That(() => device.CreateKvCache(new(1, 1, 1, 1, 1, 1, KvFormat.Int8)), Throws.TypeOf<UnsupportedException>());
    }

    [Test]
    public void A_weight_takes_the_bytes_that_were_announced([Values] bool plain, [Values] NumericMode numerics)
    {
        using var device = new TestDevice(numerics: numerics);
        WeightFormat format = plain ? new(WeightEncoding.BFloat16) : new(WeightEncoding.UInt4, 32, GroupOffset.ZeroPoint);
        using WeightMatrix matrix = Values.Matrix(1, 10, 96, format);
        DeviceWeight weight = device.Weight(WeightStacking.Outputs, matrix);
        Assert.That(device.Device.ReservedBytesFor(MemoryKind.Weights), Is.EqualTo(device.Device.WeightBytes(10, 96, format)));
        Assert.That(weight.Bytes, Is.EqualTo(device.Device.WeightBytes(10, 96, format)));
    }

    [Test]
    public void Indices_outside_are_refused_before_anything_is_written()
    {
        using var device = new TestDevice();
        TensorView source = device.Normal(1, 4, 3), output = device.Floats(2, 3, new float[6]);
        Assert.That(() => device.Stream.GatherRows(source, device.Ints(0, 4), output), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => device.Stream.ScatterRows(output, device.Ints(1, -1), source), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(device.Read(output), Is.All.Zero);
        KvCache cache = device.Cache(new(1, 1, 3, 3, 16, 2, KvFormat.Float32));
        TensorView two = device.Normal(2, 2, 3);
        Assert.That(() => device.Stream.KvWrite(two, two, cache, 0, device.Ints(0, 32)), Throws.InstanceOf<ArgumentOutOfRangeException>());
        device.Stream.KvWrite(two, two, cache, 0, device.Ints(31, -1));
        var form = new AttentionParameters(1, 1, 3, 1);
        Assert.That(
            () => device.Stream.PagedAttention(two, cache, 0, new(device.Ints(0, 2), device.Ints(2), device.Ints(2), 1, 2, 2), form, device.Empty(2, 3)),
            Throws.InstanceOf<ArgumentOutOfRangeException>(), "page 2 of 2");
        Assert.That(
            () => device.Stream.PagedAttention(two, cache, 0, new(device.Ints(0, 2), device.Ints(1), device.Ints(0), 1, 2, 2), form, device.Empty(2, 3)),
            Throws.InstanceOf<ArgumentOutOfRangeException>(), "two queries in a context of one");
        Assert.That(
            () => device.Stream.SegmentAttention(two, two, two, new(device.Ints(0, 3), 1, 3), form, false, device.Empty(2, 3)),
            Throws.InstanceOf<ArgumentOutOfRangeException>(), "offset beyond the rows");
    }

    [Test]
    public void Angles_of_positions_up_to_a_million_are_those_of_the_float32_product()
    {
        using var device = new TestDevice();
        int[] positions = [0, 1, 77, 65535, 999_999, 5, 6, 7, 8, 9];
        TensorView angles = device.Empty(5, 6);
        float[] inverse = [1, 0.31622776f, 1e-3f];
        device.Stream.RopeAngles(device.Ints(2, 5, positions), new(device.Floats(1, 3, inverse), device.Ints(0, 1, 0), 1.5f), angles);
        float[] found = device.Read(angles);
        for (int t = 0; t < 5; t++)
        {
            for (int j = 0; j < 3; j++)
            {
                float angle = positions[(j == 1 ? 5 : 0) + t] * inverse[j];
                Assert.That(found[(t * 6) + j], Is.EqualTo(1.5 * Math.Cos(angle)).Within(2e-7));
                Assert.That(found[(t * 6) + 3 + j], Is.EqualTo(1.5 * Math.Sin(angle)).Within(2e-7));
            }
        }
    }

    [Test]
    public void Every_operator_gives_the_same_bits_with_one_two_and_three_threads([Values(KvFormat.Float32, KvFormat.Float16)] KvFormat format, [Values] NumericMode numerics)
    {
        float[]? expected = null;
        foreach (int threads in (int[])[1, 2, 3])
        {
            using var device = new TestDevice(threads, numerics);
            var step = new Step(device, format, 200);
            step.Run();
            float[] found = [.. device.Read(step.Result), .. device.Read(step.Tower)];
            Assert.That(found, Has.All.Matches<float>(float.IsFinite));
            Assert.That(found, Is.EqualTo(expected ??= found), $"{threads} threads");
        }
    }

    [Test]
    public void No_operator_allocates_managed_memory_in_steady_state([Values(1, 2)] int threads, [Values(1, 40)] int tokens, [Values] NumericMode numerics)
    {
        using var device = new TestDevice(threads, numerics);
        var step = new Step(device, KvFormat.Float16, tokens);
        step.Run();
        step.Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        step.Run();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    /// <summary>A layer's operators, one after another.</summary>
    private sealed class Step
    {
        private readonly TestDevice _device;
        private readonly AttentionParameters _form = new(6, 2, 32, 0.2f);
        private readonly DeviceWeight _table, _qkv, _down;
        private readonly TensorView _ids, _hidden, _normed, _projected, _weight, _angles, _positions, _inverse, _axes, _slots, _gated, _attended, _top, _topValues;
        private readonly PagedBatch _batch;
        private readonly SegmentBatch _segments;
        private readonly KvCache _cache;

        public Step(TestDevice device, KvFormat format, int tokens)
        {
            _device = device;
            using WeightMatrix table = Values.Matrix(1, 50, 192, new(WeightEncoding.UInt4, 32, GroupOffset.Minimum));
            using WeightMatrix qkv = Values.Matrix(2, 320, 192, new(WeightEncoding.BFloat16));
            using WeightMatrix down = Values.Matrix(3, 192, 160, new(WeightEncoding.Int8, 32));
            _table = device.Weight(WeightStacking.Outputs, table);
            _qkv = device.Weight(WeightStacking.Outputs, qkv);
            _down = device.Weight(WeightStacking.Outputs, down);
            int pages = (tokens + 31) / 32;
            _cache = device.Cache(new(1, 2, 32, 32, 32, pages, format));
            _ids = device.Ints([.. Enumerable.Range(0, tokens).Select(i => i % 50)]);
            _positions = device.Ints([.. Enumerable.Range(0, tokens)]);
            _slots = device.Ints([.. Enumerable.Range(0, tokens)]);
            _inverse = device.Floats(1, 16, [.. Enumerable.Range(0, 16).Select(j => (float)Math.Pow(10000, -j / 16.0))]);
            _axes = device.Ints(new int[16]);
            _weight = device.Normal(9, 1, 192);
            _hidden = device.Empty(tokens, 192);
            _normed = device.Empty(tokens, 192);
            _projected = device.Empty(tokens, 320);
            _angles = device.Empty(tokens, 32);
            _gated = device.Empty(tokens, 160);
            _attended = device.Empty(tokens, 192);
            _top = device.Empty(tokens, 5, ElementType.Int32);
            _topValues = device.Empty(tokens, 5);
            Tower = device.Empty(tokens, 192);
            _batch = new(device.Ints(0, tokens), device.Ints(tokens), device.Ints([.. Enumerable.Range(0, pages)]), 1, tokens, tokens);
            _segments = new(device.Ints(0, tokens / 2, tokens), 2, tokens);
        }

        public TensorView Result => _normed;

        public TensorView Tower { get; }

        public void Run()
        {
            CommandStream stream = _device.Stream;
            TensorView query = _projected.SliceColumns(0, 192), key = _projected.SliceColumns(192, 64), value = _projected.SliceColumns(256, 64);
            stream.Embed(_ids, _table, _hidden, 0.7f);
            stream.RmsNorm(_hidden, _weight, _normed, 1e-6f);
            stream.Linear(_normed, _qkv, _projected);
            stream.RopeAngles(_positions, new(_inverse, _axes), _angles);
            stream.Rope(query, 32, new(_angles, RopeStyle.Halves));
            stream.Rope(key, 32, new(_angles, RopeStyle.Pairs));
            stream.KvWrite(key, value, _cache, 0, _slots);
            stream.PagedAttention(query, _cache, 0, _batch, _form, _attended);
            stream.SegmentAttention(query, key, value, _segments, _form, false, Tower);
            stream.Add(_attended, _hidden, _hidden);
            stream.GatedActivation(_projected.SliceColumns(0, 160), _projected.SliceColumns(160, 160), _gated, ActivationKind.Silu);
            stream.Activation(_gated, _gated, ActivationKind.Gelu);
            stream.Linear(_gated, _down, _hidden, accumulate: true);
            stream.LayerNorm(_hidden, _weight, null, _normed, 1e-6f);
            stream.Multiply(_normed, _weight, _normed);
            stream.TopK(_normed, _top, _topValues);
            stream.Synchronize();
        }
    }
}
