namespace Portable.Conformance;

/// <summary>Order, capture and replay, and results that depend on nothing but their inputs.</summary>
internal static class StreamChecks
{
    public static IEnumerable<Check> All()
    {
        yield return new("Stream: work runs in order", bench =>
        {
            Matrix a = bench.Output(3, 20), b = bench.Output(3, 20);
            bench.Stream.Fill(a.View, 1);
            for (int i = 0; i < 5; i++)
                bench.Stream.Add(a.View, a.View, a.View);
            bench.Stream.Copy(a.View, b.View);
            bench.Stream.Fill(a.View, 7);
            Bench.Holds(bench.Read(b).All(v => v == 32) && bench.Read(a).All(v => v == 7), "1 doubled five times, then overwritten");
        });
        yield return new("Stream: an upload takes its source at once and is applied in order", bench =>
        {
            TensorView a = bench.Ints(1, 0, 0, 0), b = bench.Ints(1, 0, 0, 0);
            int[] source = [1, 2, 3];
            bench.Stream.Upload<int>(a, source);
            Array.Fill(source, 99);
            bench.Stream.Copy(a, b);
            bench.Stream.Upload<int>(a, source);
            Bench.Holds(bench.ReadInts(b).SequenceEqual([1, 2, 3]) && bench.ReadInts(a).SequenceEqual([99, 99, 99]), "two uploads around a copy");
        });
        yield return new("Stream: downloads are taken in order", bench =>
        {
            Matrix a = bench.Output(1, 4, type: ElementType.Float32);
            using HostBuffer first = bench.Device.AllocateHost(16), second = bench.Device.AllocateHost(16);
            bench.Stream.Fill(a.View, 1);
            bench.Stream.Download(a.View, first);
            bench.Stream.Fill(a.View, 2);
            bench.Stream.Download(a.View, second);
            bench.Stream.Synchronize();
            Bench.Holds(first.As<float>()[0] == 1 && second.As<float>()[3] == 2, "1, then 2");
        });
        yield return new("Stream: two streams do not disturb each other", bench =>
        {
            using CommandStream other = bench.Device.CreateStream();
            Matrix a = bench.Output(4, 16), b = bench.Output(4, 16);
            bench.Stream.Synchronize();
            bench.Stream.Fill(a.View, 1);
            other.Fill(b.View, 2);
            other.Add(b.View, b.View, b.View);
            bench.Stream.Add(a.View, a.View, a.View);
            other.Synchronize();
            Bench.Holds(bench.Read(a).All(v => v == 2) && bench.Read(b).All(v => v == 4), "2 and 4");
        });
        yield return new("Stream: synchronising an empty stream and disposing twice are harmless", bench =>
        {
            CommandStream stream = bench.Device.CreateStream();
            stream.Synchronize();
            stream.Dispose();
            stream.Dispose();
        });
        yield return new("Stream: captured work is not run but replayed, with the values that buffers hold then", Capture);
        yield return new("Stream: a captured decode step is replayed for other lengths within its bounds", CapturedDecode);
        yield return new("Stream: uploads, downloads, waiting and nested captures are refused while capturing", CaptureRefusals);
        yield return new("Stream: a device that cannot capture says so", bench =>
        {
            Bench.Offered(!bench.Device.Capabilities.CanCapture, "refusing capture, as it captures");
            Bench.Throws<UnsupportedException>(bench.Stream.BeginCapture, "BeginCapture");
        });
        yield return new("Stream: the same work gives the same bits again, on the same device and on another", bench =>
        {
            byte[] first = Workload(bench, bench.Device, bench.Stream), again = Workload(bench, bench.Device, bench.Stream);
            Bench.Holds(first.AsSpan().SequenceEqual(again), "the same device");
            Bench.Holds(first.AsSpan().SequenceEqual(OnOther(bench, bench.Leaf.Options)), "a device opened anew");
        });
        yield return new("Stream: one, two and three threads give the same bits", bench =>
        {
            byte[] one = OnOther(bench, bench.Leaf.Options with { Threads = 1 });
            foreach (int threads in new[] { 2, 3 })
                Bench.Holds(one.AsSpan().SequenceEqual(OnOther(bench, bench.Leaf.Options with { Threads = threads })), $"{threads} threads");
        });
    }

    private static void Capture(Bench bench)
    {
        Bench.Offered(bench.Device.Capabilities.CanCapture, "capture");
        TensorView a = bench.Ints(1, 1, 2), b = bench.Ints(1, 0, 0);
        bench.Stream.BeginCapture();
        Bench.Holds(bench.Stream.IsCapturing, "IsCapturing");
        bench.Stream.Copy(a, b);
        CapturedWork work = bench.Own(bench.Stream.EndCapture());
        Bench.Holds(bench.ReadInts(b).SequenceEqual([0, 0]), "not run when captured");
        foreach (int value in new[] { 5, 6 })
        {
            bench.Stream.Upload<int>(a, [value, value]);
            bench.Stream.Replay(work);
            Bench.Holds(bench.ReadInts(b).SequenceEqual([value, value]), "replayed");
        }

        work.Dispose();
        work.Dispose();
    }

    private static void CapturedDecode(Bench bench)
    {
        Bench.Offered(bench.Device.Capabilities.CanCapture, "capture");
        AttentionParameters form = new(4, 2, 32, 0.2f);
        KvCacheLayout layout = DeviceChecks.Layout(bench, 4);
        KvCache cache = bench.Own(bench.Device.CreateKvCache(layout));
        Matrix query = bench.Input(1, 128), key = bench.Input(1, 64), output = bench.Output(1, 128);
        TensorView slot = bench.Ints(1, 0), length = bench.Ints(1, 1), table = bench.Ints(1, 2, 0, 3, 1), offsets = bench.Ints(1, 0, 1);
        bench.Stream.BeginCapture();
        bench.Stream.KvWrite(key.View, key.View, cache, 0, slot);
        bench.Stream.PagedAttention(query.View, cache, 0, new PagedBatch(offsets, length, table, 1, 1, 4 * layout.PageSize), form, output.View);
        CapturedWork work = bench.Own(bench.Stream.EndCapture());
        var keys = new List<double[]>();
        int[] pages = [2, 0, 3, 1];
        for (int position = 0; position < layout.PageSize + 3; position++)
        {
            Matrix next = bench.Input(1, 64);
            ElementType held = layout.Format == KvFormat.Float16 ? ElementType.Float16 : bench.Activation;
            keys.Add([.. next.Values.Select(v => Numbers.Round(v, held))]);
            bench.Stream.Copy(next.View, key.View);
            bench.Stream.Upload<int>(slot, [(pages[position / layout.PageSize] * layout.PageSize) + (position % layout.PageSize)]);
            bench.Stream.Upload<int>(length, [position + 1]);
            bench.Stream.Replay(work);
            var expected = new Expected(1, 128);
            ReferenceAttention.Set(expected, 0, query.Row(0), [.. keys], [.. keys], 0, position + 1, form, null, bench.Activation);
            bench.Compare(output, expected, $"position {position}");
        }
    }

    private static void CaptureRefusals(Bench bench)
    {
        Bench.Offered(bench.Device.Capabilities.CanCapture, "capture");
        TensorView a = bench.Ints(1, 1);
        using HostBuffer host = bench.Device.AllocateHost(4);
        bench.Stream.BeginCapture();
        Bench.Throws<InvalidOperationException>(() => bench.Stream.Upload<int>(a, [2]), "Upload");
        Bench.Throws<InvalidOperationException>(() => bench.Stream.Download(a, host), "Download");
        Bench.Throws<InvalidOperationException>(bench.Stream.Synchronize, "Synchronize");
        Bench.Throws<InvalidOperationException>(bench.Stream.BeginCapture, "BeginCapture");
        bench.Own(bench.Stream.EndCapture());
        Bench.Throws<InvalidOperationException>(() => bench.Stream.EndCapture(), "EndCapture without a capture");
        Bench.Holds(bench.ReadInts(a)[0] == 1, "the refused upload did nothing");
    }

    private static byte[] OnOther(Bench bench, DeviceOptions options)
    {
        using Device device = bench.Backend.Open(bench.Info, options);
        using CommandStream stream = device.CreateStream();
        return Workload(bench, device, stream);
    }

    // A small transformer step: rows, widths and heads that no number of threads divides.
    private static byte[] Workload(Bench bench, Device device, CommandStream stream)
    {
        const int Rows = 37, Width = 160, Heads = 5, Size = 32;
        var random = new Random(5);
        ElementType type = device.Capabilities.ActivationType;
        using DeviceBuffer memory = device.Allocate(1 << 20, MemoryKind.Workspace);
        long used = 0;
        TensorView x = Next(type, Rows, Width), y = Next(type, Rows, Width), z = Next(type, Rows, 3 * Width), norm = Next(ElementType.Float32, 1, Width);
        TensorView offsets = Next(ElementType.Int32, 1, 3), logits = Next(ElementType.Float32, Rows, 3 * Width);
        byte[] start = new byte[Rows * Width * type.Size()];
        for (int i = 0; i < Rows * Width; i++)
            Numbers.Set(start.AsSpan(i * type.Size()), type, (random.NextDouble() * 4) - 2);
        stream.Upload<byte>(x, start);
        stream.Upload<int>(offsets, [0, 11, Rows]);
        stream.Fill(norm, 0.75f);
        foreach (WeightFormat format in LinearChecks.Formats())
        {
            using TestWeight part = TestWeight.Create(random, 3 * Width, Width, format with { GroupSize = format.GroupSize < 0 ? Width : format.GroupSize });
            if (!bench.IsOffered(part))
                continue;
            using DeviceWeight weight = device.LoadWeight([part.Matrix]);
            stream.RmsNorm(x, norm, y, 1e-5f);
            stream.Linear(y, weight, z);
            stream.SegmentAttention(
                z.SliceColumns(0, Width), z.SliceColumns(Width, Width), z.SliceColumns(2 * Width, Width), new SegmentBatch(offsets, 2, Rows),
                new AttentionParameters(Heads, Heads, Size, 0.2f), causal: true, y);
            stream.GatedActivation(y, x, y, ActivationKind.Silu);
            stream.Add(x, y, x);
            stream.Linear(x.SliceRows(3, 1), weight, logits.SliceRows(3, 1));
            stream.Synchronize();
        }

        stream.Fill(logits.SliceRows(0, 3), 0);
        using HostBuffer host = device.AllocateHost(start.Length);
        stream.Download(x, host);
        using HostBuffer row = device.AllocateHost(3 * Width * sizeof(float));
        stream.Download(logits.SliceRows(3, 1), row);
        stream.Synchronize();
        return [.. host.Span[..start.Length], .. row.Span[..(3 * Width * sizeof(float))]];

        TensorView Next(ElementType element, int rows, int columns)
        {
            TensorView view = memory.View(element, rows, columns, used);
            used += ((view.Length * element.Size()) + 511) & ~511L;
            return view;
        }
    }
}
