namespace Portable.Conformance;

/// <summary>Probing, memory, budgets and refusals.</summary>
internal static class DeviceChecks
{
    public static IEnumerable<Check> All()
    {
        yield return new("Device: what the probe and the capabilities say agrees with the opened device", bench =>
        {
            DeviceCapabilities told = bench.Backend.GetCapabilities(bench.Info, bench.Leaf.Options), has = bench.Device.Capabilities;
            Bench.Holds(bench.Info.Backend == bench.Backend.Id && bench.Device.Info.Id == bench.Info.Id, "the device is the one probed");
            Bench.Holds(told.ActivationType == has.ActivationType && told.KvFormats.SequenceEqual(has.KvFormats) && told.CanCapture == has.CanCapture, "capabilities");
            Bench.Holds(bench.Device.Numerics == bench.Leaf.Options.Numerics, "the numeric mode asked for");
            Bench.Holds(has.KvFormats.Count > 0 && has.PageSizes.Count > 0, "a default KV format and page size");
            Operator[] missing = [.. Enum.GetValues<Operator>().Except([Operator.AttentionInput, Operator.FeedForwardInput]).Except(has.Operators)];
            Bench.Holds(missing.Length == 0, $"every primitive is required; {string.Join(", ", missing)} missing");
        });
        foreach (MemoryKind kind in Enum.GetValues<MemoryKind>())
        {
            yield return new($"Device: {kind} memory is counted, and given back once however often it is disposed of", bench =>
            {
                long before = bench.Device.ReservedBytesFor(kind), all = bench.Device.ReservedBytes;
                DeviceBuffer buffer = bench.Device.Allocate(1000, kind);
                long taken = bench.Device.ReservedBytesFor(kind) - before;
                Bench.Holds(buffer.Bytes >= 1000 && taken >= 1000 && bench.Device.ReservedBytes == all + taken, $"{taken} bytes taken for 1000");
                buffer.Dispose();
                buffer.Dispose();
                Bench.Holds(buffer.IsDisposed && bench.Device.ReservedBytesFor(kind) == before && bench.Device.ReservedBytes == all, "given back once");
            });
        }

        yield return new("Device: weights take what WeightBytes says, and give it back once", Weights);
        yield return new("Device: a KV cache takes what KvCacheBytes says, and gives it back once", bench =>
        {
            KvCacheLayout layout = Layout(bench, 8);
            long before = bench.Device.ReservedBytesFor(MemoryKind.KvCache), said = bench.Device.KvCacheBytes(layout);
            KvCache cache = bench.Device.CreateKvCache(layout);
            Bench.Holds(cache.Bytes == said && bench.Device.ReservedBytesFor(MemoryKind.KvCache) == before + said, $"{cache.Bytes} taken, {said} said");
            cache.Dispose();
            cache.Dispose();
            Bench.Holds(bench.Device.ReservedBytesFor(MemoryKind.KvCache) == before, "given back once");
        });
        yield return new("Device: what does not fit the budget is refused with both numbers, and takes nothing", Budget);
        yield return new("Device: weight formats that are not offered are refused by type, and take nothing", Refusals);
        yield return new("Device: KV formats that are not offered are refused by type, and take nothing", bench =>
        {
            foreach (KvFormat format in Enum.GetValues<KvFormat>().Except(bench.Device.Capabilities.KvFormats))
                Bench.Throws<UnsupportedException>(() => bench.Device.CreateKvCache(Layout(bench, 2) with { Format = format }), $"KV as {format}");
            Bench.Holds(bench.Device.ReservedBytes == 0, "nothing taken");
        });
        yield return new("Device: host buffers hold what they were made for and may be disposed of twice", bench =>
        {
            HostBuffer host = bench.Device.AllocateHost(40);
            Bench.Holds(host.Span.Length >= 40 && host.As<float>().Length >= 10, "40 bytes");
            host.Dispose();
            host.Dispose();
        });
        yield return new("Device: buffers of no bytes can be made", bench => bench.Own(bench.Device.Allocate(0, MemoryKind.Workspace)));
        yield return new("Device: a negative size is an argument error", bench =>
            Bench.Throws<ArgumentException>(() => bench.Device.Allocate(-1, MemoryKind.Workspace), "-1 bytes"));
        yield return new("Device: loading no matrix, or matrices of different widths, is an argument error", bench =>
        {
            TestWeight a = LinearChecks.Make(bench, 4, 32, new(WeightEncoding.Float16)), b = LinearChecks.Make(bench, 4, 48, new(WeightEncoding.Float16));
            TestWeight c = LinearChecks.Make(bench, 5, 32, new(WeightEncoding.Float16));
            Bench.Throws<ArgumentException>(() => bench.Device.LoadWeight([]), "no matrix");
            Bench.Throws<ArgumentException>(() => bench.Device.LoadWeight([a.Matrix, b.Matrix]), "widths 32 and 48");
            Bench.Throws<ArgumentException>(() => bench.Device.LoadWeight([a.Matrix, c.Matrix], WeightStacking.Experts), "experts of 4 and 5 rows");
            Bench.Holds(bench.Device.ReservedBytes == 0, "nothing taken");
        });
    }

    public static KvCacheLayout Layout(Bench bench, int pages) =>
        new(2, 2, 32, 32, bench.Device.Capabilities.PageSizes[0], pages, bench.Device.Capabilities.KvFormats[0]);

    private static void Weights(Bench bench)
    {
        foreach (WeightFormat format in LinearChecks.Formats())
        {
            TestWeight weight = LinearChecks.Make(bench, 33, 128, format);
            if (!bench.IsOffered(weight))
                continue;
            long said = bench.Device.WeightBytes(33, 128, weight.Matrix.Format);
            DeviceWeight loaded = bench.Device.LoadWeight([weight.Matrix]);
            long taken = bench.Device.ReservedBytesFor(MemoryKind.Weights);
            Bench.Holds(loaded.Bytes == said && taken == said, $"{weight.Describe()}: {said} bytes said, {loaded.Bytes} in the handle, {taken} reserved");
            Bench.Holds(loaded.Rows == 33 && loaded.Columns == 128 && loaded.Experts == 1, $"{weight.Describe()}: shape");
            loaded.Dispose();
            loaded.Dispose();
            Bench.Holds(bench.Device.ReservedBytesFor(MemoryKind.Weights) == 0, $"{weight.Describe()}: given back once");
        }
    }

    private static void Budget(Bench bench)
    {
        const long Bytes = 64 * 1024;
        using Device device = bench.Backend.Open(bench.Info, bench.Leaf.Options with { MemoryBudgetBytes = Bytes });
        Bench.Holds(device.BudgetBytes == Bytes, "the budget asked for");
        using DeviceBuffer first = device.Allocate(32 * 1024, MemoryKind.Workspace);
        long reserved = device.ReservedBytes;
        TestWeight weight = LinearChecks.Make(bench, 256, 256, new(WeightEncoding.Float32));
        foreach ((string what, Action action) in new (string, Action)[]
        {
            ("a buffer", () => device.Allocate(40 * 1024, MemoryKind.Vision)),
            ("a weight", () => device.LoadWeight([weight.Matrix])),
            ("a KV cache", () => device.CreateKvCache(Layout(bench, 64))),
            ("a buffer larger than any machine", () => device.Allocate(1L << 60, MemoryKind.Workspace)),
        })
        {
            DeviceOutOfMemoryException error = Bench.Throws<DeviceOutOfMemoryException>(action, what);
            Bench.Holds(
                error.NeededBytes >= 40 * 1024 && error.AvailableBytes == Bytes - reserved,
                $"{what}: needs {error.NeededBytes} of {error.AvailableBytes}, expected more than 40 KiB of {Bytes - reserved}");
            Bench.Holds(device.ReservedBytes == reserved, $"{what}: takes nothing");
        }

        using DeviceBuffer rest = device.Allocate(16 * 1024, MemoryKind.Workspace);
    }

    private static void Refusals(Bench bench)
    {
        foreach (WeightFormat format in LinearChecks.Formats())
        {
            foreach (bool hasGroupIndex in format.IsPlain ? new[] { false } : [false, true])
            {
                TestWeight weight = LinearChecks.Make(bench, 4, 128, format, hasGroupIndex);
                if (!bench.IsOffered(weight))
                    Bench.Throws<UnsupportedException>(() => bench.Device.LoadWeight([weight.Matrix]), weight.Describe());
            }
        }

        Bench.Holds(bench.Device.ReservedBytes == 0, "nothing taken");
    }
}
