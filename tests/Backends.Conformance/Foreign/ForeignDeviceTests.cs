using System.Collections.Frozen;
using Portable.Testing.Foreign;

namespace Portable.Tests;

/// <summary>What the foreign test device promises: that mistakes which a CPU forgives are found on it.</summary>
[TestFixture]
public sealed class ForeignDeviceTests
{
    private ForeignBackend _backend = null!;
    private ForeignDevice _device = null!;
    private CommandStream _stream = null!;
    private List<IDisposable> _owned = null!;

    [SetUp]
    public void Open()
    {
        _backend = new ForeignBackend();
        _device = _backend.OpenForeign();
        _stream = _device.CreateStream();
        _owned = [];
    }

    [TearDown]
    public void Close()
    {
        _owned.ForEach(o => o.Dispose());
        _stream.Dispose();
        _device.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(_device.LiveAllocations, Is.Zero);
            Assert.That(_device.ReservedBytes, Is.Zero);
        });
    }

    [Test]
    public void A_download_that_was_not_waited_for_reads_poison_and_is_right_after_waiting()
    {
        TensorView view = Floats(1, 4);
        HostBuffer host = Own(_device.AllocateHost(16));
        host.Span.Clear();
        _stream.Upload<float>(view, [1, 2, 3, 4]);
        _stream.Download(view, host);
        Assert.That(host.As<float>().ToArray(), Is.All.NaN, "before waiting");
        _stream.Synchronize();
        Assert.That(host.As<float>().ToArray(), Is.EqualTo(new float[] { 1, 2, 3, 4 }), "after waiting");
    }

    [Test]
    public void Fresh_memory_reads_as_NaN_in_every_float_type_and_as_an_absurd_integer()
    {
        DeviceBuffer buffer = Own(_device.Allocate(64, MemoryKind.Workspace));
        byte[] bytes = Download(buffer.View(ElementType.UInt8, 1, 64));
        Assert.Multiple(() =>
        {
            Assert.That(BitConverter.ToSingle(bytes), Is.NaN);
            Assert.That(Half.IsNaN(BitConverter.ToHalf(bytes)));
            Assert.That(BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(bytes) << 16), Is.NaN);
            Assert.That(BitConverter.ToInt32(bytes), Is.GreaterThan(1 << 30));
        });
    }

    [Test]
    public void An_operator_runs_only_when_the_stream_is_synchronised()
    {
        TensorView view = Floats(1, 4);
        _stream.Fill(view, 1);
        Assert.That(_device.Faults.Calls(ForeignCall.Execute), Is.Zero);
        _stream.Synchronize();
        Assert.That(_device.Faults.Calls(ForeignCall.Execute), Is.EqualTo(1));
    }

    [Test]
    public void An_upload_takes_its_source_when_called_and_is_applied_in_order()
    {
        TensorView a = Floats(1, 2), b = Floats(1, 2);
        float[] source = [1, 2];
        _stream.Upload<float>(a, source);
        source[0] = 9;
        _stream.Copy(a, b);
        _stream.Upload<float>(a, [3, 4]);
        Assert.Multiple(() =>
        {
            Assert.That(Values(b), Is.EqualTo(new float[] { 1, 2 }));
            Assert.That(Values(a), Is.EqualTo(new float[] { 3, 4 }));
        });
    }

    [Test]
    public void Work_whose_memory_was_freed_before_it_ran_fails_naming_the_operator()
    {
        DeviceBuffer buffer = _device.Allocate(64, MemoryKind.Workspace);
        _stream.Fill(buffer.View(ElementType.Float16, 1, 32), 1);
        buffer.Dispose();
        DeviceException error = Assert.Throws<DeviceException>(_stream.Synchronize)!;
        Assert.Multiple(() =>
        {
            Assert.That(error.Operation, Is.EqualTo("Fill"));
            Assert.That(error.Message, Does.Contain("use after free"));
            Assert.That(error.IsDeviceLost, Is.False);
        });
        Assert.DoesNotThrow(_stream.Synchronize, "the device lives on");
    }

    [Test]
    public void A_weight_or_cache_that_was_freed_is_named_too()
    {
        TensorView input = Halves(1, 16), output = Halves(1, 4), slots = Ints(0);
        DeviceWeight weight = _device.LoadWeight([Plain(4, 16)]);
        KvCache cache = _device.CreateKvCache(new(1, 1, 16, 16, 16, 1, KvFormat.Float16));
        _stream.Fill(input, 1);
        _stream.Synchronize();
        _stream.Linear(input, weight, output);
        weight.Dispose();
        Assert.That(Assert.Throws<DeviceException>(_stream.Synchronize)!.Message, Does.Contain("Linear").And.Contain("the weight w"));
        _stream.KvWrite(input, input, cache, 0, slots);
        cache.Dispose();
        Assert.That(Assert.Throws<DeviceException>(_stream.Synchronize)!.Message, Does.Contain("KvWrite").And.Contain("KV cache"));
    }

    [Test]
    public void A_write_outside_a_buffer_is_found_by_its_guard_zones_and_names_the_operator()
    {
        TensorView view = Floats(1, 5);
        _device.Faults.FailNext(ForeignCall.Execute, FaultKind.StrayWrite);
        _stream.Fill(view, 1);
        DeviceException error = Assert.Throws<DeviceException>(_stream.Synchronize)!;
        Assert.That(error.Message, Does.Contain("Fill").And.Contain("out of bounds").And.Contain("20 bytes"));
    }

    [TestCase(4), TestCase(-1)]
    public void An_id_outside_the_table_fails_naming_the_operator(int id)
    {
        DeviceWeight table = Own(_device.LoadWeight([Plain(4, 16)]));
        _stream.Embed(Ints(0, id), table, Halves(2, 16));
        Assert.That(Assert.Throws<DeviceException>(_stream.Synchronize)!.Message, Does.Contain("Embed").And.Contain($"id {id}"));
    }

    [Test]
    public void Indices_that_were_never_uploaded_are_out_of_range()
    {
        DeviceWeight table = Own(_device.LoadWeight([Plain(4, 16)]));
        TensorView ids = Own(_device.Allocate(4, MemoryKind.Workspace)).View(ElementType.Int32, 1, 1);
        _stream.Embed(ids, table, Halves(1, 16));
        Assert.That(Assert.Throws<DeviceException>(_stream.Synchronize)!.Operation, Is.EqualTo("Embed"));
    }

    [TestCase(32, 0, 1, "KvWrite", "slot 32")]
    [TestCase(0, 2, 1, "PagedAttention", "page 2")]
    [TestCase(0, 0, 17, "PagedAttention", "context length 17")]
    public void Slots_pages_and_lengths_outside_the_cache_fail_naming_the_operator(int slot, int page, int length, string @operator, string what)
    {
        KvCache cache = Own(_device.CreateKvCache(new(1, 1, 16, 16, 16, 2, KvFormat.Float16)));
        TensorView query = Halves(1, 16), output = Halves(1, 16);
        TensorView pages = Own(_device.Allocate(4, MemoryKind.Workspace)).View(ElementType.Int32, 1, 1);
        _stream.Upload<int>(pages, [page]);
        _stream.Fill(query, 1);
        _stream.KvWrite(query, query, cache, 0, Ints(slot));
        _stream.PagedAttention(query, cache, 0, new PagedBatch(Ints(0, 1), Ints(length), pages, 1, 1, 16), new AttentionParameters(1, 1, 16, 1), output);
        Assert.That(Assert.Throws<DeviceException>(_stream.Synchronize)!.Message, Does.Contain(@operator).And.Contain(what));
    }

    [Test]
    public void Captured_work_does_not_run_when_recorded_and_is_replayed_with_the_values_of_then()
    {
        TensorView a = Floats(1, 2), b = Floats(1, 2);
        _stream.Upload<float>(b, [0, 0]);
        _stream.BeginCapture();
        _stream.Add(a, a, b);
        using CapturedWork work = _stream.EndCapture();
        Assert.That(Values(b), Is.EqualTo(new float[] { 0, 0 }), "recorded, not run");
        _stream.Upload<float>(a, [1, 2]);
        _stream.Replay(work);
        Assert.That(Values(b), Is.EqualTo(new float[] { 2, 4 }));
        _stream.Upload<float>(a, [10, 20]);
        _stream.Replay(work);
        Assert.That(Values(b), Is.EqualTo(new float[] { 20, 40 }));
    }

    [Test]
    public void Captured_work_that_was_disposed_of_or_belongs_to_another_stream_is_refused()
    {
        _stream.BeginCapture();
        CapturedWork work = _stream.EndCapture();
        using (CommandStream other = _device.CreateStream())
            Assert.Throws<ArgumentException>(() => other.Replay(work));
        work.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _stream.Replay(work));
    }

    [Test]
    public void Captured_work_that_outlives_its_memory_fails_when_replayed()
    {
        DeviceBuffer buffer = _device.Allocate(8, MemoryKind.Workspace);
        _stream.BeginCapture();
        _stream.Fill(buffer.View(ElementType.Float32, 1, 2), 1);
        using CapturedWork work = _stream.EndCapture();
        buffer.Dispose();
        _stream.Replay(work);
        Assert.That(Assert.Throws<DeviceException>(_stream.Synchronize)!.Message, Does.Contain("Fill").And.Contain("use after free"));
    }

    [TestCaseSource(nameof(FailableCalls))]
    public void Every_call_can_be_made_to_fail_once_and_leaks_nothing(ForeignCall call)
    {
        foreach (FaultKind kind in new[] { FaultKind.Failure, FaultKind.OutOfMemory })
        {
            UseEverything();
            long reserved = _device.ReservedBytes;
            int live = _device.LiveAllocations;
            _device.Faults.FailNext(call, kind);
            PortableException error = Assert.Catch<PortableException>(UseEverything)!;
            Assert.That(error, kind == FaultKind.Failure ? Is.TypeOf<DeviceException>() : Is.TypeOf<DeviceOutOfMemoryException>());
            Assert.That((_device.ReservedBytes, _device.LiveAllocations), Is.EqualTo((reserved, live)));
            Assert.DoesNotThrow(UseEverything, "only that call fails");
        }
    }

    [TestCaseSource(nameof(FailableCalls))]
    public void A_lost_device_stays_lost_and_can_still_be_disposed_of(ForeignCall call)
    {
        var backend = new ForeignBackend();
        ForeignDevice device = backend.OpenForeign();
        backend.Faults.FailNext(call, FaultKind.DeviceLost);
        Assert.That(Assert.Throws<DeviceException>(() => UseEverything(device))!.IsDeviceLost);
        Assert.That(Assert.Throws<DeviceException>(() => device.Allocate(1, MemoryKind.Workspace))!.IsDeviceLost, "sticky");
        device.Dispose();
        Assert.That(backend.Leaks, Is.Empty);
    }

    [Test]
    public void Disposing_a_device_that_still_holds_something_is_reported()
    {
        var backend = new ForeignBackend();
        ForeignDevice device = backend.OpenForeign();
        DeviceBuffer leaked = device.Allocate(100, MemoryKind.Vision);
        Assert.That(Assert.Throws<InvalidOperationException>(device.Dispose)!.Message, Does.Contain("Vision buffer of 100 bytes"));
        Assert.That(backend.Leaks, Has.Count.EqualTo(1));
        leaked.Dispose();
    }

    [Test]
    public void Allocations_are_charged_in_multiples_of_512_bytes()
    {
        using DeviceBuffer buffer = _device.Allocate(513, MemoryKind.Workspace);
        Assert.That((buffer.Bytes, _device.ReservedBytes), Is.EqualTo((513L, 1024L)));
    }

    [TestCase(WeightEncoding.Int8, 32)]
    [TestCase(WeightEncoding.UInt8, 32)]
    [TestCase(WeightEncoding.Codebook4, 32)]
    [TestCase(WeightEncoding.Float8E4M3, 128)]
    [TestCase(WeightEncoding.UInt4, 48)]
    public void A_model_with_a_format_that_is_not_offered_is_refused_before_loading_with_operator_and_reason(WeightEncoding encoding, int groupSize)
    {
        var format = new WeightFormat(encoding, groupSize);
        var model = new ModelRequirements
        {
            Operators = FrozenSet<Operator>.Empty,
            Weights = [new WeightRequirement(Operator.Linear, "blk.0.q", format, 8, 96)],
            HeadSizes = FrozenSet<int>.Empty,
        };
        UnsupportedException selection = Assert.Throws<UnsupportedException>(
            () => new BackendSelector([_backend]).Select("foreign", new DeviceOptions(), model))!;
        Assert.That(selection.Message, Does.Contain("Linear").And.Contain("blk.0.q").And.Contain(format.ToString()));
        using WeightMatrix matrix = WeightMatrix.Allocate(
            "blk.0.q", 8, 96, format, encoding == WeightEncoding.Codebook4 ? new float[16] : null);
        Assert.Throws<UnsupportedException>(() => _device.LoadWeight([matrix]));
        Assert.That(_device.ReservedBytes, Is.Zero);
    }

    private static IEnumerable<ForeignCall> FailableCalls() => Enum.GetValues<ForeignCall>().Except([ForeignCall.Open]);

    private void UseEverything() => UseEverything(_device);

    private static void UseEverything(ForeignDevice device)
    {
        using CommandStream stream = device.CreateStream();
        using DeviceBuffer buffer = device.Allocate(64, MemoryKind.Workspace);
        using HostBuffer host = device.AllocateHost(64);
        using WeightMatrix matrix = Plain(2, 16);
        using DeviceWeight weight = device.LoadWeight([matrix]);
        using KvCache cache = device.CreateKvCache(new(1, 1, 16, 16, 16, 1, KvFormat.Float16));
        TensorView view = buffer.View(ElementType.Float32, 1, 16);
        stream.BeginCapture();
        stream.Fill(view, 1);
        using CapturedWork work = stream.EndCapture();
        stream.Upload<float>(view, new float[16]);
        stream.Replay(work);
        stream.Download(view, host);
        stream.Synchronize();
    }

    private static WeightMatrix Plain(int rows, int columns)
    {
        WeightMatrix matrix = WeightMatrix.Allocate("w", rows, columns, new WeightFormat(WeightEncoding.Float32));
        for (int row = 0; row < rows; row++)
            matrix.Codes(row).Clear();
        return matrix;
    }

    private T Own<T>(T thing) where T : IDisposable
    {
        _owned.Add(thing);
        return thing;
    }

    private TensorView Floats(int rows, int columns) =>
        Own(_device.Allocate(rows * columns * 4L, MemoryKind.Workspace)).View(ElementType.Float32, rows, columns);

    private TensorView Halves(int rows, int columns) =>
        Own(_device.Allocate(rows * columns * 2L, MemoryKind.Workspace)).View(ElementType.Float16, rows, columns);

    private TensorView Ints(params int[] values)
    {
        TensorView view = Own(_device.Allocate(values.Length * 4L, MemoryKind.Workspace)).View(ElementType.Int32, 1, values.Length);
        _stream.Upload<int>(view, values);
        return view;
    }

    private byte[] Download(TensorView view)
    {
        using HostBuffer host = _device.AllocateHost(view.Length * view.Type.Size());
        _stream.Download(view, host);
        _stream.Synchronize();
        return host.Span.ToArray();
    }

    private float[] Values(TensorView view) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(Download(view)).ToArray();
}
