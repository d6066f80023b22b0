namespace Portable.Conformance;

/// <summary>Attention inside segments, for towers and encoders.</summary>
internal static class SegmentAttentionChecks
{
    public static IEnumerable<Check> All()
    {
        foreach (int size in new[] { 16, 20, 32, 40, 64, 80, 128 })
        {
            foreach (bool causal in new[] { false, true })
            {
                yield return new($"SegmentAttention, heads of {size}{(causal ? ", causal" : "")}", bench =>
                {
                    Run(bench, [0, 1, 9, 9, 42], new AttentionParameters(2, 2, size, 1 / MathF.Sqrt(size)), causal);
                    Run(bench, [0, 33, 40], new AttentionParameters(6, 2, size, 1 / MathF.Sqrt(size)), causal, Layout.Strided);
                });
            }
        }

        AttentionParameters form = new(4, 2, 32, 0.2f);
        foreach (int rows in new[] { 1, 2, 3, 7, 8, 33, 300 })
            yield return new($"SegmentAttention, one segment of {rows} rows", bench => Run(bench, [0, rows], form, false));
        yield return new("SegmentAttention, rows outside all segments are not written", bench => Run(bench, [3, 8, 20], form, false, rows: 25));
        yield return new("SegmentAttention, window", bench =>
        {
            Needs(bench, AttentionFeatures.Window);
            Run(bench, [0, 9, 42], form with { Window = 5 }, causal: true);
        });
        yield return new("SegmentAttention, soft cap", bench =>
        {
            Needs(bench, AttentionFeatures.SoftCap);
            Run(bench, [0, 9, 42], form with { SoftCap = 1.5f }, false);
        });
        yield return new("SegmentAttention, sinks", bench =>
        {
            Needs(bench, AttentionFeatures.Sinks);
            Run(bench, [0, 9, 42], form, false, hasSinks: true);
        });
        yield return new("SegmentAttention, values of another size than keys", bench =>
        {
            Needs(bench, AttentionFeatures.ValueSize);
            Run(bench, [0, 9, 42], form with { ValueSize = 48 }, false);
        });
        yield return new("SegmentAttention, packed q, k and v in one matrix", Packed);
    }

    private static void Needs(Bench bench, AttentionFeatures features) =>
        Bench.Offered((bench.Device.Capabilities.Attention & features) == features, $"attention with {features}");

    private static void Run(
        Bench bench, int[] offsets, AttentionParameters form, bool causal, Layout layout = Layout.Dense, int rows = 0, bool hasSinks = false)
    {
        DeviceCapabilities offered = bench.Device.Capabilities;
        Bench.Offered(form.HeadSize % offered.HeadSizeMultiple == 0 && form.HeadSize <= offered.MaxHeadSize, $"heads of {form.HeadSize}");
        rows = Math.Max(rows, offsets[^1]);
        Matrix q = bench.Input(rows, form.QueryHeads * form.HeadSize, layout), k = bench.Input(rows, form.KeyHeads * form.HeadSize, layout);
        Matrix v = bench.Input(rows, form.KeyHeads * form.ValueHeadSize, layout), y = bench.Input(rows, form.QueryHeads * form.ValueHeadSize, layout);
        Matrix? sinks = hasSinks ? bench.Vector(form.QueryHeads, () => bench.Normal() * 2) : null;
        AttentionParameters used = form with { Sinks = sinks?.View };
        bench.Stream.SegmentAttention(q.View, k.View, v.View, Batch(bench, offsets), used, causal, y.View);
        bench.Compare(y, Reference(bench, offsets, q.Rows(), k.Rows(), v.Rows(), y, used, causal, sinks?.Values), $"{form}, segments {string.Join(' ', offsets)}");
    }

    private static void Packed(Bench bench)
    {
        AttentionParameters form = new(4, 2, 20, 0.2f);
        Matrix qkv = bench.Input(13, 8 * 20), y = bench.Output(13, 80);
        int[] offsets = [0, 13];
        bench.Stream.SegmentAttention(
            qkv.View.SliceColumns(0, 80), qkv.View.SliceColumns(80, 40), qkv.View.SliceColumns(120, 40), Batch(bench, offsets), form, false, y.View);
        double[][] rows = qkv.Rows();
        bench.Compare(
            y, Reference(bench, offsets, [.. rows.Select(r => r[..80])], [.. rows.Select(r => r[80..120])], [.. rows.Select(r => r[120..])], y, form, false, null), "packed");
    }

    private static SegmentBatch Batch(Bench bench, int[] offsets) =>
        new(bench.Ints(1, offsets), offsets.Length - 1, offsets.Zip(offsets.Skip(1), (a, b) => b - a).Max());

    private static Expected Reference(
        Bench bench, int[] offsets, double[][] q, double[][] k, double[][] v, Matrix before, in AttentionParameters form, bool causal, double[]? sinks)
    {
        var expected = new Expected(q.Length, form.QueryHeads * form.ValueHeadSize);
        before.Values.CopyTo(expected.Value, 0);
        for (int s = 0; s + 1 < offsets.Length; s++)
        {
            for (int t = offsets[s]; t < offsets[s + 1]; t++)
            {
                int start = form.Window > 0 ? Math.Max(offsets[s], t - form.Window + 1) : offsets[s];
                ReferenceAttention.Set(expected, t, q[t], k, v, start, causal ? t + 1 : offsets[s + 1], form, sinks, bench.Activation);
            }
        }

        return expected;
    }
}
