namespace Portable.Conformance;

/// <summary>
/// Fused operators against the primitives that they stand for, on the same device (the primitives have checks of their own). They may
/// keep intermediate values in more bits, and a value near the middle of two int8 steps may then fall to the other
/// side: 2 % of the output's root mean square on such devices, 1e-4 of it in float32 reference mode.
/// </summary>
internal static class FusedChecks
{
    public static IEnumerable<Check> All()
    {
        foreach (WeightFormat format in new WeightFormat[] { new(WeightEncoding.Float16), new(WeightEncoding.UInt4, 32, GroupOffset.ZeroPoint), new(WeightEncoding.Int8, 32) })
        {
            foreach (int rows in new[] { 0, 1, 3, 33 })
            {
                yield return new($"FeedForwardInput, {format}, {rows} rows", bench => FeedForward(bench, format, rows));
                yield return new($"AttentionInput, {format}, {rows} rows", bench =>
                {
                    Attention(bench, format, rows, hasNorms: true, hasRope: true);
                    Attention(bench, format, rows, hasNorms: false, hasRope: true);
                    Attention(bench, format, rows, hasNorms: false, hasRope: false);
                });
            }
        }
    }

    private static void FeedForward(Bench bench, WeightFormat format, int rows)
    {
        const int Hidden = 96, Width = 72;
        DeviceWeight gateUp = bench.Load(WeightStacking.Outputs, LinearChecks.Make(bench, Width, Hidden, format), LinearChecks.Make(bench, Width, Hidden, format));
        Matrix hidden = bench.Input(rows, Hidden), norm = bench.Vector(Hidden), bias = bench.Vector(2 * Width);
        Matrix fused = bench.Output(rows, Width), composed = bench.Output(rows, Width);
        TensorView normed = bench.Output(rows, Hidden).View, projected = bench.Output(rows, 2 * Width).View;
        bench.Stream.FeedForwardInput(new FeedForwardInputArguments
        {
            Hidden = hidden.View, NormWeight = norm.View, Epsilon = 1e-5f, GateUp = gateUp, Bias = bias.View,
            Activation = ActivationKind.Silu, Normed = normed, Projected = projected, Output = fused.View,
        });
        double[] found = bench.Read(fused);
        bench.Stream.RmsNorm(hidden.View, norm.View, normed, 1e-5f);
        bench.Stream.Linear(normed, gateUp, projected, bias.View);
        bench.Stream.GatedActivation(projected.SliceColumns(0, Width), projected.SliceColumns(Width, Width), composed.View, ActivationKind.Silu);
        Near(bench, found, bench.Read(composed), "act(gate) * up");
        Bench.Holds(bench.Read(hidden).SequenceEqual(hidden.Values), "the residual stream is only read");
    }

    private static void Attention(Bench bench, WeightFormat format, int rows, bool hasNorms, bool hasRope)
    {
        const int Hidden = 64, Heads = 4, KeyHeads = 2, Size = 32, Columns = (Heads + (2 * KeyHeads)) * Size;
        AttentionParameters form = new(Heads, KeyHeads, Size, 0.2f);
        DeviceCapabilities offered = bench.Device.Capabilities;
        DeviceWeight qkv = bench.Load(
            WeightStacking.Outputs, LinearChecks.Make(bench, Heads * Size, Hidden, format), LinearChecks.Make(bench, KeyHeads * Size, Hidden, format),
            LinearChecks.Make(bench, KeyHeads * Size, Hidden, format));
        Matrix hidden = bench.Input(rows, Hidden), norm = bench.Vector(Hidden), bias = bench.Vector(Columns), queryNorm = bench.Vector(Size), keyNorm = bench.Vector(Size);
        Matrix angles = bench.Input(rows, Size, Layout.Dense, () => (bench.Random.NextDouble() * 2) - 1, ElementType.Float32);
        int pageSize = offered.PageSizes[0], pages = (rows / pageSize) + 1;
        TensorView slots = rows == 0 ? bench.Ints(1, 0).SliceColumns(0, 0) : bench.Ints(1, [.. Enumerable.Range(0, rows)]);
        TensorView normed = bench.Output(rows, Hidden).View;
        var rope = new RopeArguments(angles.View, RopeStyle.Halves);
        double[][] queries = new double[2][], attended = new double[2][];
        for (int way = 0; way < 2; way++)
        {
            KvCache cache = bench.Own(bench.Device.CreateKvCache(new(1, KeyHeads, Size, Size, pageSize, pages, offered.KvFormats[0])));
            Matrix output = bench.Output(rows, Columns), result = bench.Output(rows, Heads * Size);
            TensorView query = output.View.SliceColumns(0, Heads * Size), key = output.View.SliceColumns(Heads * Size, KeyHeads * Size);
            if (way == 0)
            {
                bench.Stream.AttentionInput(new AttentionInputArguments
                {
                    Hidden = hidden.View, NormWeight = norm.View, Epsilon = 1e-5f, Qkv = qkv, Bias = bias.View,
                    QueryNorm = hasNorms ? queryNorm.View : null, KeyNorm = hasNorms ? keyNorm.View : null, Rope = hasRope ? rope : null,
                    Attention = form, Cache = cache, Layer = 0, Slots = slots, Normed = normed, Output = output.View,
                });
            }
            else
            {
                bench.Stream.RmsNorm(hidden.View, norm.View, normed, 1e-5f);
                bench.Stream.Linear(normed, qkv, output.View, bias.View);
                if (hasNorms)
                {
                    bench.Stream.RmsNorm(query, queryNorm.View, query, 1e-5f);
                    bench.Stream.RmsNorm(key, keyNorm.View, key, 1e-5f);
                }

                if (hasRope)
                {
                    bench.Stream.Rope(query, Size, rope);
                    bench.Stream.Rope(key, Size, rope);
                }

                bench.Stream.KvWrite(key, output.View.SliceColumns((Heads + KeyHeads) * Size, KeyHeads * Size), cache, 0, slots);
            }

            Matrix copy = bench.Output(rows, Heads * Size);
            bench.Stream.Copy(query, copy.View);
            queries[way] = bench.Read(copy);
            if (rows == 0)
                return;
            TensorView table = bench.Ints(1, [.. Enumerable.Range(0, pages)]);
            bench.Stream.PagedAttention(query, cache, 0, new PagedBatch(bench.Ints(1, 0, rows), bench.Ints(1, rows), table, 1, rows, rows), form, result.View);
            attended[way] = bench.Read(result);
        }

        Near(bench, queries[0], queries[1], "queries");
        Near(bench, attended[0], attended[1], "attention over the keys and values written");
    }

    private static void Near(Bench bench, double[] fused, double[] composed, string what)
    {
        double size = composed.Length == 0 ? 0 : Math.Sqrt(composed.Average(v => v * v)), allowed = size * (bench.IsExact ? 1e-4 : 2e-2);
        for (int i = 0; i < fused.Length; i++)
            Bench.Holds(Math.Abs(fused[i] - composed[i]) <= allowed, $"{what}: element {i} is {fused[i]:g9}, composed of primitives {composed[i]:g9} +- {allowed:g3}");
    }
}
