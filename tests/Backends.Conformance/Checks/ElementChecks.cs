namespace Portable.Conformance;

/// <summary>Element-wise operators, rows by index, top-k, copies.</summary>
internal static class ElementChecks
{
    // Both sides of it occur.
    private const float Clamp = 1.5f;

    private static readonly (int Rows, int Columns)[] Shapes = [(0, 8), (1, 1), (1, 7), (2, 16), (3, 33), (7, 64), (33, 100)];

    public static IEnumerable<Check> All()
    {
        foreach (ActivationKind kind in Enum.GetValues<ActivationKind>())
        {
            if (kind != ActivationKind.SoftCap)
                yield return new($"GatedActivation {kind}", bench => ForAll(bench, (rows, columns, layout) => Gated(bench, kind, rows, columns, layout)));
            if (kind == ActivationKind.ClampedSwiglu)
                continue;
            yield return new($"Activation {kind}", bench => ForAll(bench, (rows, columns, layout) => Single(bench, kind, rows, columns, layout, null)));
            yield return new($"Activation {kind} of float32", bench => ForAll(bench, (rows, columns, layout) => Single(bench, kind, rows, columns, layout, ElementType.Float32)));
        }

        foreach (ElementType? type in new ElementType?[] { null, ElementType.Float32 })
        {
            string suffix = type is null ? "" : " of float32";
            yield return new($"Add{suffix}", bench => ForAll(bench, (rows, columns, layout) => Binary(bench, rows, columns, layout, type, isAdd: true)));
            yield return new($"Add scaled by row{suffix}", bench => ForAll(bench, (rows, columns, layout) => ScaledByRow(bench, rows, columns, layout, type)));
            yield return new($"Multiply{suffix}", bench => ForAll(bench, (rows, columns, layout) => Binary(bench, rows, columns, layout, type, isAdd: false)));
            yield return new($"GatherRows and ScatterRows{suffix}", bench => ForAll(bench, (rows, columns, layout) => Rows(bench, rows, columns, layout, type)));
            yield return new($"ScatterRows, accumulated{suffix}", bench => Accumulate(bench, type));
        }

        yield return new("GatherRows of int32", bench =>
        {
            TensorView output = bench.Ints(2, [0, 0, 0, 0, 0, 0]);
            bench.Stream.GatherRows(bench.Ints(3, [1, 2, 3, 4, 5, 6, 7, 8, 9]), bench.Ints(1, [2, 0]), output);
            Bench.Holds(bench.ReadInts(output).SequenceEqual([7, 8, 9, 1, 2, 3]), "rows 2 and 0");
        });
        foreach ((int width, int k) in new[] { (1, 1), (7, 7), (40, 1), (1000, 5), (1030, 40), (33, 0) })
            yield return new($"TopK, {k} of {width}, ties to the lower column", bench => TopK(bench, width, k));
        yield return new("Copy between float types, rounded to nearest", Casts);
        yield return new("Copy of strided rows and of int32 keeps every bit", SameType);
        yield return new("Fill of every float type and of strided rows", Fills);
    }

    private static void ForAll(Bench bench, Action<int, int, Layout> run)
    {
        foreach ((int rows, int columns) in Shapes)
        {
            run(rows, columns, Layout.Dense);
            run(rows, columns, Layout.Strided);
        }

        Bench.Holds(bench.Stream.Device == bench.Device, "the stream knows its device");
    }

    // Far values too: exponentials must neither overflow nor lose the tail.
    private static Func<double> Wide(Bench bench) => () => bench.Normal() * (bench.Random.Next(8) == 0 ? 20 : 2);

    private static void Gated(Bench bench, ActivationKind kind, int rows, int columns, Layout layout)
    {
        Matrix gate = bench.Input(rows, columns, layout, Wide(bench)), up = bench.Input(rows, columns, layout);
        Matrix output = rows == 3 ? gate : rows == 7 ? up : bench.Output(rows, columns, layout);
        bench.Stream.GatedActivation(gate.View, up.View, output.View, kind, Clamp);
        var expected = new Expected(rows, columns);
        for (int i = 0; i < gate.Values.Length; i++)
        {
            double other = kind == ActivationKind.ClampedSwiglu ? Math.Clamp(up.Values[i], -Clamp, Clamp) + 1 : up.Values[i];
            double value = ReferenceActivation.Of(kind, gate.Values[i], Clamp);
            expected.Set(i / columns, i % columns, value * other, (Math.Abs(value) + (0.1 * Math.Min(1, Math.Abs(gate.Values[i])))) * Math.Max(Math.Abs(other), Math.Abs(up.Values[i])));
        }

        bench.Compare(output, expected, $"[{rows}, {columns}] {layout}");
    }

    private static void Single(Bench bench, ActivationKind kind, int rows, int columns, Layout layout, ElementType? type)
    {
        Matrix input = bench.Input(rows, columns, layout, Wide(bench), type), output = rows == 3 ? input : bench.Output(rows, columns, layout, type);
        bench.Stream.Activation(input.View, output.View, kind, 5);
        var expected = new Expected(rows, columns);
        for (int i = 0; i < input.Values.Length; i++)
        {
            double value = ReferenceActivation.Of(kind, input.Values[i], 5);
            expected.Set(i / columns, i % columns, value, Math.Abs(value) + (0.1 * Math.Min(1, Math.Abs(input.Values[i]))));
        }

        bench.Compare(output, expected, $"[{rows}, {columns}] {layout}");
    }

    private static void Binary(Bench bench, int rows, int columns, Layout layout, ElementType? type, bool isAdd)
    {
        foreach (bool isBroadcast in new[] { false, true })
        {
            Matrix a = bench.Input(rows, columns, layout, type: type), b = bench.Input(isBroadcast ? 1 : rows, columns, layout, type: type);
            Matrix output = rows == 3 ? a : rows == 7 && !isBroadcast ? b : bench.Output(rows, columns, layout, type);
            if (isAdd)
                bench.Stream.Add(a.View, b.View, output.View, -0.75f);
            else
                bench.Stream.Multiply(a.View, b.View, output.View);
            var expected = new Expected(rows, columns);
            for (int i = 0; i < a.Values.Length; i++)
            {
                double x = a.Values[i], y = b.Values[isBroadcast ? i % columns : i];
                expected.Set(i / columns, i % columns, isAdd ? x - (0.75 * y) : x * y, isAdd ? 0.1 * (Math.Abs(x) + Math.Abs(y)) : 0.1 * Math.Abs(x * y));
            }

            bench.Compare(output, expected, $"[{rows}, {columns}] {layout}{(isBroadcast ? ", one row for all" : "")}");
        }
    }

    private static void ScaledByRow(Bench bench, int rows, int columns, Layout layout, ElementType? type)
    {
        Matrix a = bench.Input(rows, columns, layout, type: type), b = bench.Input(rows, columns, layout, type: type);
        Matrix output = rows == 3 ? a : rows == 7 ? b : bench.Output(rows, columns, layout, type);
        // A column of a wider table, as the weights of a token's first, second, … expert are.
        Matrix scales = bench.Input(rows, 3, layout, type: ElementType.Float32);
        bench.Stream.Add(a.View, b.View, output.View, -0.75f, scales.View.SliceColumns(1, 1));
        var expected = new Expected(rows, columns);
        for (int i = 0; i < a.Values.Length; i++)
        {
            double x = a.Values[i], y = -0.75 * scales.Row(i / columns)[1] * b.Values[i];
            expected.Set(i / columns, i % columns, x + y, 0.1 * (Math.Abs(x) + Math.Abs(y)));
        }

        bench.Compare(output, expected, $"[{rows}, {columns}] {layout}");
    }

    private static void Rows(Bench bench, int rows, int columns, Layout layout, ElementType? type)
    {
        const int Table = 40;
        int[] indices = [.. Enumerable.Range(0, Table)];
        bench.Random.Shuffle(indices);
        indices = indices[..rows];
        TensorView index = rows == 0 ? bench.Ints(1, 0).SliceColumns(0, 0) : bench.Ints(1, indices);
        Matrix table = bench.Input(Table, columns, layout, type: type), gathered = bench.Output(rows, columns, layout, type);
        Matrix scattered = bench.Input(Table, columns, layout, type: type);
        bench.Stream.GatherRows(table.View, index, gathered.View);
        bench.Stream.ScatterRows(gathered.View, index, scattered.View);
        double[] found = bench.Read(gathered), back = bench.Read(scattered);
        double[] expected = [.. indices.SelectMany(i => table.Row(i).ToArray())];
        Bench.Holds(found.SequenceEqual(expected), $"[{rows}, {columns}] {layout}: gathered rows differ");
        for (int r = 0; r < Table; r++)
        {
            Matrix source = indices.Contains(r) ? table : scattered;
            Bench.Holds(back.AsSpan(r * columns, columns).SequenceEqual(source.Row(r)), $"[{rows}, {columns}] {layout}: row {r} after scattering differs");
        }
    }

    private static void Accumulate(Bench bench, ElementType? type)
    {
        Matrix source = bench.Input(3, 37, Layout.Strided, type: type), output = bench.Input(6, 37, Layout.Strided, type: type);
        int[] indices = [5, 0, 2];
        bench.Stream.ScatterRows(source.View, bench.Ints(1, indices), output.View, accumulate: true);
        var expected = new Expected(6, 37);
        for (int r = 0; r < 6; r++)
        {
            int from = Array.IndexOf(indices, r);
            for (int c = 0; c < 37; c++)
                expected.Set(r, c, output.Row(r)[c] + (from < 0 ? 0 : source.Row(from)[c]), 0);
        }

        bench.Compare(output, expected, "added rows");
    }

    private static void TopK(Bench bench, int width, int k)
    {
        const int Rows = 3;
        Matrix input = bench.Input(Rows, width, Layout.Strided, () => bench.Random.Next(-50, 50) * (bench.Random.Next(3) == 0 ? 1 : 0.125), ElementType.Float32);
        TensorView columns = bench.Own(bench.Device.Allocate(Math.Max(1, Rows * k) * 4L, MemoryKind.Workspace)).View(ElementType.Int32, Rows, k);
        Matrix values = bench.Output(Rows, k, type: ElementType.Float32);
        bench.Stream.TopK(input.View, columns, values.View);
        int[] where = bench.ReadInts(columns);
        double[] what = bench.Read(values);
        for (int r = 0; r < Rows; r++)
        {
            double[] row = input.Row(r).ToArray();
            int[] expected = [.. Enumerable.Range(0, width).OrderByDescending(c => row[c]).ThenBy(c => c).Take(k)];
            Bench.Holds(where.AsSpan(r * k, k).SequenceEqual(expected), $"row {r}: columns {string.Join(' ', where.AsSpan(r * k, Math.Min(k, 8)).ToArray())}, expected {string.Join(' ', expected.Take(8))}");
            Bench.Holds(what.AsSpan(r * k, k).SequenceEqual(expected.Select(c => row[c]).ToArray()), $"row {r}: values");
        }
    }

    private static void Casts(Bench bench)
    {
        ElementType[] floats = [ElementType.Float32, ElementType.Float16, ElementType.BFloat16];
        foreach (ElementType from in floats)
        {
            foreach (ElementType to in floats)
            {
                foreach (int columns in new[] { 1, 8, 37 })
                {
                    Matrix source = bench.Input(5, columns, Layout.Strided, Wide(bench), from), output = bench.Output(5, columns, Layout.Strided, to);
                    bench.Stream.Copy(source.View, output.View);
                    double[] expected = [.. source.Values.Select(v => Numbers.Round(v, to))];
                    Bench.Holds(bench.Read(output).SequenceEqual(expected), $"{from} to {to}, {columns} columns");
                }
            }
        }
    }

    private static void SameType(Bench bench)
    {
        Matrix source = bench.Input(7, 19, Layout.Strided), output = bench.Output(7, 19);
        bench.Stream.Copy(source.View, output.View);
        Bench.Holds(bench.Read(output).SequenceEqual(source.Values), "strided to dense");
        TensorView ints = bench.Ints(2, 0, 0, 0, 0);
        bench.Stream.Copy(bench.Ints(2, int.MinValue, -1, 7, int.MaxValue), ints);
        Bench.Holds(bench.ReadInts(ints).SequenceEqual([int.MinValue, -1, 7, int.MaxValue]), "int32");
    }

    private static void Fills(Bench bench)
    {
        foreach (ElementType type in new[] { ElementType.Float32, ElementType.Float16, ElementType.BFloat16 })
        {
            Matrix output = bench.Output(5, 19, Layout.Strided, type);
            bench.Stream.Fill(output.View, -2.5f);
            Bench.Holds(bench.Read(output).All(v => v == -2.5), $"{type}");
        }
    }
}
