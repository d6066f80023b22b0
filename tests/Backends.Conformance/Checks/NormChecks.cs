namespace Portable.Conformance;

/// <summary>Norms, alone and in groups, in place, with a residual.</summary>
internal static class NormChecks
{
    public static IEnumerable<Check> All()
    {
        foreach (int width in new[] { 1, 7, 64, 100, 1030 })
        {
            foreach (Layout layout in Enum.GetValues<Layout>())
            {
                yield return new($"RmsNorm, width {width}, {layout}", bench => Rms(bench, [0, 1, 2, 7, 33], width, width, layout));
                yield return new($"RmsNorm with residual, width {width}, {layout}", bench => Residual(bench, width, layout));
                yield return new($"LayerNorm, width {width}, {layout}", bench =>
                {
                    Layer(bench, width, layout, hasBias: true);
                    Layer(bench, width, layout, hasBias: false);
                });
            }
        }

        foreach (int group in new[] { 16, 20, 40, 128 })
            yield return new($"RmsNorm of heads of {group}, in place on strided rows", bench => Rms(bench, [1, 5], group * 3, group, Layout.Strided, inPlace: true));
        yield return new("RmsNorm and LayerNorm of small values: epsilon counts", bench =>
        {
            Rms(bench, [3], 64, 64, Layout.Dense, size: 0.003);
            Layer(bench, 64, Layout.Dense, hasBias: true, size: 0.003);
        });
        yield return new("RmsNorm of a row of zeros gives zeros", bench =>
        {
            Matrix x = bench.Input(2, 32, draw: () => 0), w = bench.Vector(32), y = bench.Output(2, 32);
            bench.Stream.RmsNorm(x.View, w.View, y.View, 1e-6f);
            bench.Compare(y, new Expected(2, 32), "zeros");
        });
    }

    private static void Rms(Bench bench, int[] rowCounts, int width, int group, Layout layout, bool inPlace = false, double size = 1)
    {
        foreach (int rows in rowCounts)
        {
            Matrix x = bench.Input(rows, width, layout, () => size * bench.Normal()), w = bench.Vector(group), y = inPlace ? x : bench.Output(rows, width, layout);
            bench.Stream.RmsNorm(x.View, w.View, y.View, 1e-5f);
            var expected = new Expected(rows, width);
            for (int t = 0; t < rows; t++)
            {
                double[] values = ReferenceNorm.Rms(x.Row(t), w.Values, 1e-5f);
                for (int c = 0; c < width; c++)
                    expected.Set(t, c, values[c], Math.Abs(values[c]));
            }

            bench.Compare(y, expected, $"{rows} rows");
        }
    }

    private static void Residual(Bench bench, int width, Layout layout)
    {
        const int Rows = 3;
        Matrix x = bench.Input(Rows, width, layout), w = bench.Vector(width), y = bench.Output(Rows, width, layout), sum = bench.Input(Rows, width, layout);
        bench.Stream.RmsNorm(x.View, w.View, y.View, 1e-5f, sum.View);
        Expected sums = new(Rows, width), expected = new(Rows, width);
        // The sum may be rounded to the activation type before it is normalised: that much in the numerator, and in the root.
        double rounding = 2 * Expected.Rounding(bench.Activation);
        for (int t = 0; t < Rows; t++)
        {
            double[] added = [.. Enumerable.Range(0, width).Select(c => x.Row(t)[c] + sum.Row(t)[c])];
            double[] values = ReferenceNorm.Rms(added, w.Values, 1e-5f);
            for (int c = 0; c < width; c++)
            {
                double cancelled = (Math.Abs(x.Row(t)[c]) + Math.Abs(sum.Row(t)[c])) * Math.Abs(added[c] == 0 ? 0 : values[c] / added[c]);
                sums.Set(t, c, added[c], Math.Abs(x.Row(t)[c]) + Math.Abs(sum.Row(t)[c]));
                expected.Set(t, c, values[c], Math.Abs(values[c]) + (cancelled * 0.1), Math.Abs(values[c]) * rounding);
            }
        }

        bench.Compare(sum, sums, "the residual");
        bench.Compare(y, expected, "the norm");
    }

    private static void Layer(Bench bench, int width, Layout layout, bool hasBias, double size = 1)
    {
        foreach (int rows in new[] { 0, 1, 3, 8 })
        {
            Matrix x = bench.Input(rows, width, layout, () => size * (bench.Normal() + 3)), w = bench.Vector(width), b = bench.Vector(width);
            Matrix y = rows == 3 ? x : bench.Output(rows, width, layout);
            bench.Stream.LayerNorm(x.View, w.View, hasBias ? b.View : null, y.View, 1e-5f);
            var expected = new Expected(rows, width);
            for (int t = 0; t < rows; t++)
            {
                (double Value, double Magnitude)[] values = ReferenceNorm.Layer(x.Row(t), w.Values, hasBias ? b.Values : [], 1e-5f);
                for (int c = 0; c < width; c++)
                    expected.Set(t, c, values[c].Value, values[c].Magnitude);
            }

            bench.Compare(y, expected, $"{rows} rows, {(hasBias ? "bias" : "no bias")}");
        }
    }
}
