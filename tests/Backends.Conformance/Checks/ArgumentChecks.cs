namespace Portable.Conformance;

/// <summary>Wrong arguments are refused when given, before anything is enqueued.</summary>
internal static class ArgumentChecks
{
    public static IEnumerable<Check> All()
    {
        foreach ((string what, Action<Operands> call) in Calls())
        {
            yield return new($"Arguments: {what} is refused before anything is enqueued", bench =>
            {
                var operands = new Operands(bench);
                Bench.Throws<ArgumentException>(() => call(operands), what);
                Bench.Holds(bench.Read(operands.Output).SequenceEqual(operands.Output.Values), "the output is untouched");
            });
        }

        yield return new("Arguments: a buffer that was disposed of is refused by every operator that takes one", bench =>
        {
            var operands = new Operands(bench);
            DeviceBuffer dead = bench.Device.Allocate(4096, MemoryKind.Workspace);
            TensorView view = dead.View(bench.Activation, 2, 32);
            dead.Dispose();
            Bench.Throws<ObjectDisposedException>(() => bench.Stream.Add(view, view, operands.Output.View), "Add");
            Bench.Throws<ObjectDisposedException>(() => bench.Stream.Fill(view, 1), "Fill");
            Bench.Throws<ObjectDisposedException>(() => bench.Stream.Upload<byte>(view, new byte[view.Length * view.Type.Size()]), "Upload");
        });
        yield return new("Arguments: ids outside the table end in a typed error or are clamped, never in a crash", bench =>
        {
            var operands = new Operands(bench);
            foreach (int id in new[] { 32, -1, int.MaxValue, int.MinValue })
            {
                try
                {
                    bench.Stream.Embed(bench.Ints(1, 0, id), operands.Weight, operands.Output.View);
                    bench.Stream.Synchronize();
                }
                catch (Exception error) when (error is PortableException or ArgumentException)
                {
                    Bench.Holds(error.Message.Contains(nameof(CommandStream.Embed), StringComparison.Ordinal), $"names the operator: {error.Message}");
                }
            }
        });
    }

    private static IEnumerable<(string What, Action<Operands> Call)> Calls()
    {
        yield return ("Embed with too few ids", o => o.Stream.Embed(o.Ints, o.Weight, o.Output.View));
        yield return ("Embed into another width", o => o.Stream.Embed(o.TwoInts, o.Weight, o.Narrow));
        yield return ("Linear of another width", o => o.Stream.Linear(o.Narrow, o.Weight, o.Output.View));
        yield return ("Linear into other rows", o => o.Stream.Linear(o.Input.SliceRows(0, 1), o.Weight, o.Output.View));
        yield return ("Linear with a bias of another length", o => o.Stream.Linear(o.Input, o.Weight, o.Output.View, o.Vector.SliceColumns(0, 8)));
        yield return ("Linear with groups but no experts", o => o.Stream.Linear(o.Input, o.Weight, o.Output.View, experts: new ExpertGroups(o.TwoInts)));
        yield return ("RmsNorm with groups that do not fill the row", o => o.Stream.RmsNorm(o.Input, o.Vector.SliceColumns(0, 5), o.Output.View, 1e-5f));
        yield return ("RmsNorm of groups with a residual", o => o.Stream.RmsNorm(o.Input, o.Vector.SliceColumns(0, 8), o.Output.View, 1e-5f, o.Input));
        yield return ("LayerNorm with a weight of another length", o => o.Stream.LayerNorm(o.Input, o.Vector.SliceColumns(0, 8), null, o.Output.View, 1e-5f));
        yield return ("RopeAngles into another width", o => o.Stream.RopeAngles(o.TwoInts, new RopeFrequencies(o.Vector, o.TwoInts), o.Output.View));
        yield return ("Rope of heads that do not fill the row", o => o.Stream.Rope(o.Output.View, 7, new RopeArguments(o.Angles, RopeStyle.Halves)));
        yield return ("Rope with more angles than the head has", o => o.Stream.Rope(o.Output.View, 2, new RopeArguments(o.Angles, RopeStyle.Halves)));
        yield return ("KvWrite of another shape", o => o.Stream.KvWrite(o.Input, o.Input, o.Cache, 0, o.TwoInts));
        yield return ("KvWrite to a layer that is not there", o => o.Stream.KvWrite(o.Heads, o.Heads, o.Cache, 2, o.TwoInts));
        yield return ("PagedAttention with heads of another size", o =>
            o.Stream.PagedAttention(o.Input, o.Cache, 0, o.Batch, new AttentionParameters(1, 1, 32, 1), o.Output.View));
        yield return ("PagedAttention with too small a page table", o =>
            o.Stream.PagedAttention(o.Heads, o.Cache, 0, o.Batch with { MaxContextLength = 1 << 20 }, new AttentionParameters(2, 2, 32, 1), o.Heads));
        yield return ("SegmentAttention of other rows", o => o.Stream.SegmentAttention(
            o.Input, o.Input.SliceRows(0, 1), o.Input, new SegmentBatch(o.TwoInts, 1, 2), new AttentionParameters(1, 1, 32, 1), false, o.Output.View));
        yield return ("GatedActivation of other shapes", o => o.Stream.GatedActivation(o.Narrow, o.Narrow, o.Output.View, ActivationKind.Silu));
        yield return ("Activation of other shapes", o => o.Stream.Activation(o.Narrow, o.Output.View, ActivationKind.Silu));
        yield return ("Add with a scale too few", o => o.Stream.Add(o.Output.View, o.Output.View, o.Output.View, 1, o.Angles.SliceRows(0, 1).SliceColumns(0, 1)));
        yield return ("Add of other shapes", o => o.Stream.Add(o.Input, o.Narrow, o.Output.View));
        yield return ("Multiply of other shapes", o => o.Stream.Multiply(o.Input, o.Narrow, o.Output.View));
        yield return ("GatherRows of another width", o => o.Stream.GatherRows(o.Narrow, o.TwoInts, o.Output.View));
        yield return ("ScatterRows with too few indices", o => o.Stream.ScatterRows(o.Input, o.Ints, o.Output.View));
        yield return ("TopK into other rows", o => o.Stream.TopK(o.Vector, o.TwoInts, o.Vector.SliceColumns(0, 1)));
        yield return ("Copy of int32 to floats", o => o.Stream.Copy(o.TwoInts, o.Vector.SliceColumns(0, 2)));
        yield return ("Fill of int32", o => o.Stream.Fill(o.TwoInts, 1));
        yield return ("Upload of too few bytes", o => o.Stream.Upload<byte>(o.Output.View, new byte[3]));
        yield return ("Download into too small a buffer", o =>
        {
            using HostBuffer host = o.Stream.Device.AllocateHost(1);
            o.Stream.Download(o.Output.View, host);
        });
    }

    private sealed class Operands
    {
        public Operands(Bench bench)
        {
            Stream = bench.Stream;
            Weight = bench.Load(LinearChecks.Make(bench, 32, 32, new WeightFormat(WeightEncoding.Float16)));
            Input = bench.Input(2, 32).View;
            Output = bench.Input(2, 32);
            Narrow = bench.Input(2, 16).View;
            Heads = bench.Input(2, 64).View;
            Vector = bench.Vector(32).View;
            Angles = bench.Input(2, 4, type: ElementType.Float32).View;
            Ints = bench.Ints(1, 0);
            TwoInts = bench.Ints(1, 0, 1);
            Cache = bench.Own(bench.Device.CreateKvCache(DeviceChecks.Layout(bench, 2)));
            Batch = new PagedBatch(TwoInts, Ints, bench.Ints(1, 0), 1, 1, 1);
        }

        public CommandStream Stream { get; }

        public DeviceWeight Weight { get; }

        public TensorView Input { get; }

        public Matrix Output { get; }

        public TensorView Narrow { get; }

        public TensorView Heads { get; }

        public TensorView Vector { get; }

        public TensorView Angles { get; }

        public TensorView Ints { get; }

        public TensorView TwoInts { get; }

        public KvCache Cache { get; }

        public PagedBatch Batch { get; }
    }
}
