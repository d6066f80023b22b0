namespace Portable.Conformance;

/// <summary>Matrix products on every weight format.</summary>
internal static class LinearChecks
{
    private static readonly int[] RowCounts = [0, 1, 2, 3, 7, 8, 33];

    /// <summary>Every format that a canonical matrix can have; a group size of -1 stands for whole rows.</summary>
    public static IEnumerable<WeightFormat> Formats()
    {
        yield return new(WeightEncoding.Float32);
        yield return new(WeightEncoding.Float16);
        yield return new(WeightEncoding.BFloat16);
        foreach (GroupOffset offset in new[] { GroupOffset.ZeroPoint, GroupOffset.Minimum, GroupOffset.None })
        {
            foreach (int group in new[] { 16, 32, 64, 128, -1 })
                yield return new(WeightEncoding.UInt4, group, offset);
        }

        foreach (int group in new[] { 16, 32, 64 })
            yield return new(WeightEncoding.Codebook4, group);
        foreach (int group in new[] { 16, 32, 128, -1 })
            yield return new(WeightEncoding.Int8, group);
        yield return new(WeightEncoding.Int8, 32, GroupOffset.Minimum);
        foreach (GroupOffset offset in new[] { GroupOffset.ZeroPoint, GroupOffset.Minimum, GroupOffset.None })
            yield return new(WeightEncoding.UInt8, 32, offset);
        yield return new(WeightEncoding.UInt8, -1, GroupOffset.ZeroPoint);
        yield return new(WeightEncoding.Float8E4M3, 32);
        yield return new(WeightEncoding.Float8E4M3, -1);
    }

    public static IEnumerable<Check> All()
    {
        foreach (WeightFormat format in Formats())
        {
            string name = Name(format);
            foreach ((int outputs, int inputs) in new[] { (40, 96), (33, 272), (5, 61), (1, 16), (130, 512) })
            {
                yield return new($"Linear, {name}, [{outputs}, {inputs}], any number of rows", bench =>
                {
                    foreach (int rows in inputs == 512 ? [1, 3, 8] : RowCounts)
                        Multiply(bench, rows, inputs, [Make(bench, outputs, inputs, format)]);
                });
            }

            yield return new($"Linear, {name}, bias, accumulated, strided", bench =>
                Multiply(bench, 5, 128, [Make(bench, 37, 128, format)], hasBias: true, accumulate: true, layout: Layout.Strided));
            yield return new($"Linear, {name}, float32 output", bench =>
            {
                Multiply(bench, 3, 128, [Make(bench, 37, 128, format)], output: ElementType.Float32);
                Multiply(bench, 9, 128, [Make(bench, 24, 128, format)], hasBias: true, accumulate: true, layout: Layout.Strided, output: ElementType.Float32);
            });
            yield return new($"Linear, {name}, experts", bench => Experts(bench, format));
            yield return new($"Linear, {name}, largest codes against activations of one sign", bench => Extremes(bench, format));
            yield return new($"Embed, {name}", bench => Embed(bench, format));
            if (!format.IsPlain)
            {
                yield return new($"Linear, {name}, group index of its own for each input", bench =>
                {
                    foreach (int rows in RowCounts)
                        Multiply(bench, rows, 192, [Make(bench, 20, 192, format, hasGroupIndex: true)]);
                });
            }
        }

        yield return new("Linear, parts of different formats stacked along the outputs", bench =>
        {
            TestWeight[] parts = [.. Formats()
                .Where(f => f.GroupSize is 0 or 32)
                .Select((f, i) => Make(bench, 5 + (7 * i), 64, f))
                .Where(bench.IsOffered)];
            Bench.Offered(parts.Length > 1, "more than one weight format");
            foreach (int rows in RowCounts)
                Multiply(bench, rows, 64, parts, hasBias: true);
        });
    }

    public static TestWeight Make(Bench bench, int outputs, int inputs, WeightFormat format, bool hasGroupIndex = false, Func<int, int>? code = null) =>
        bench.Own(TestWeight.Create(
            bench.Random, outputs, inputs, format with { GroupSize = format.GroupSize < 0 ? inputs : format.GroupSize },
            bench.IsExact, hasGroupIndex, code));

    public static string Name(WeightFormat format) =>
        $"{(format.GroupSize < 0 ? $"{format.Encoding} whole rows" : format.ToString())}{(format.Offset == GroupOffset.None ? "" : " " + format.Offset)}";

    private static void Multiply(
        Bench bench, int rows, int inputs, TestWeight[] parts, bool hasBias = false, bool accumulate = false,
        Layout layout = Layout.Dense, ElementType? output = null, Func<double>? draw = null)
    {
        using DeviceWeight weight = Loaded(bench, parts);
        int outputs = parts.Sum(p => p.Matrix.Rows);
        Matrix x = bench.Input(rows, inputs, layout, draw);
        Matrix y = accumulate ? bench.Input(rows, outputs, layout, type: output) : bench.Output(rows, outputs, layout, output);
        Matrix? bias = hasBias ? bench.Vector(outputs) : null;
        bench.Stream.Linear(x.View, weight, y.View, bias?.View, accumulate);
        var expected = new Expected(rows, outputs);
        double squares = 0, allowed = 0;
        double[] found = bench.Read(y);
        for (int t = 0; t < rows; t++)
        {
            int n = 0;
            foreach (TestWeight part in parts)
            {
                for (int r = 0; r < part.Matrix.Rows; r++, n++)
                {
                    double start = (bias is null ? 0 : bias.Values[n]) + (accumulate ? y.Values[(t * outputs) + n] : 0);
                    ReferenceLinear.Set(bench, expected, t, n, x.Row(t), part, r, start);
                    double error = found[(t * outputs) + n] - expected.Value[(t * outputs) + n];
                    squares += error * error;
                    bool isRounded = ReferenceLinear.IsRounded(bench, part);
                    double others = expected.Tolerance((t * outputs) + n, y.View.Type) - (isRounded ? expected.Extra[(t * outputs) + n] : 0);
                    allowed += (others * others) + (isRounded ? ReferenceLinear.ExpectedSquare(x.Row(t), part, r) : 0);
                }
            }
        }

        bench.Compare(y, expected, $"{rows} rows");
        int count = rows * outputs;
        Bench.Holds(count < 64 || Math.Sqrt(squares) <= 3 * Math.Sqrt(allowed),
            $"{rows} rows: the root mean square error {Math.Sqrt(squares / count):g3} is more than 3 times the {Math.Sqrt(allowed / count):g3} of independent roundings");
    }

    private static DeviceWeight Loaded(Bench bench, TestWeight[] parts)
    {
        foreach (TestWeight part in parts)
            Bench.Offered(bench.IsOffered(part), $"weights {part.Describe()}{(part.Matrix.GroupIndex.Length > 0 ? " with a group index" : "")}");
        return bench.Device.LoadWeight([.. parts.Select(p => p.Matrix)]);
    }

    private static void Experts(Bench bench, WeightFormat format)
    {
        const int Outputs = 20, Inputs = 64, Rows = 11;
        TestWeight[] experts = [.. Enumerable.Range(0, 4).Select(_ => Make(bench, Outputs, Inputs, format))];
        DeviceWeight weight = bench.Load(WeightStacking.Experts, experts);
        Bench.Holds(weight.Experts == 4 && weight.Rows == Outputs && weight.Columns == Inputs, $"4 experts [{Outputs}, {Inputs}], not {weight.Experts} [{weight.Rows}, {weight.Columns}]");
        int[] offsets = [0, 3, 3, 10, 11];
        Matrix x = bench.Input(Rows, Inputs), y = bench.Output(Rows, Outputs, Layout.Strided), bias = bench.Vector(Outputs);
        bench.Stream.Linear(x.View, weight, y.View, bias.View, experts: new ExpertGroups(bench.Ints(1, offsets)));
        var expected = new Expected(Rows, Outputs);
        for (int t = 0; t < Rows; t++)
        {
            int expert = Array.FindLastIndex(offsets, o => o <= t);
            for (int n = 0; n < Outputs; n++)
                ReferenceLinear.Set(bench, expected, t, n, x.Row(t), experts[expert], n, bias.Values[n]);
        }

        bench.Compare(y, expected, "rows by expert");
    }

    // Integer kernels that add products of 8-bit numbers in 16 bits saturate here or nowhere.
    private static void Extremes(Bench bench, WeightFormat format)
    {
        int largest = format.Bits == 4 ? 15 : format.Encoding == WeightEncoding.Int8 ? 0x80 : format.Encoding == WeightEncoding.Float8E4M3 ? 0x7E : 255;
        foreach (double sign in new[] { 1.0, -1.0 })
        {
            foreach (int rows in new[] { 1, 4, 9 })
                Multiply(bench, rows, 256, [Make(bench, 17, 256, format, code: _ => largest)], draw: () => sign);
        }
    }

    private static void Embed(Bench bench, WeightFormat format)
    {
        const int Vocabulary = 29, Width = 80;
        TestWeight table = Make(bench, Vocabulary, Width, format);
        DeviceWeight weight = bench.Load(table);
        foreach (Layout layout in Enum.GetValues<Layout>())
        {
            int[] ids = [28, 0, 3, 3, 17];
            Matrix y = bench.Output(ids.Length, Width, layout);
            bench.Stream.Embed(bench.Ints(1, ids), weight, y.View, 1.5f);
            var expected = new Expected(ids.Length, Width);
            for (int t = 0; t < ids.Length; t++)
            {
                for (int c = 0; c < Width; c++)
                {
                    double w = table.Values[ids[t]][c], packing = table.PackingError[ids[t]][c];
                    double extra = bench.Activation != ElementType.Float32 ? Math.Abs(w) * 1.5 * Expected.Rounding(bench.Activation)
                        : ReferenceLinear.IsRounded(bench, table) ? 1.5 * packing : 0;
                    expected.Set(t, c, 1.5 * w, Math.Max(Math.Abs(w), packing * 2048), extra);
                }
            }

            bench.Compare(y, expected, $"{layout}");
        }
    }
}
