namespace Portable.Conformance;

/// <summary>Angles of rotary positions, and rotations in both styles, partial and over several axes.</summary>
internal static class RopeChecks
{
    public static IEnumerable<Check> All()
    {
        foreach (int axes in new[] { 1, 2, 3 })
            yield return new($"RopeAngles over {axes} axes", bench => Angles(bench, axes));
        foreach (RopeStyle style in Enum.GetValues<RopeStyle>())
        {
            foreach (int size in new[] { 16, 20, 32, 40, 64, 80, 128 })
            {
                foreach (Layout layout in Enum.GetValues<Layout>())
                    yield return new($"Rope {style}, heads of {size}, {layout}", bench => Rotate(bench, size, size / 2, style, layout));
                yield return new($"Rope {style}, heads of {size}, only a part rotates", bench =>
                {
                    Rotate(bench, size, size / 4, style, Layout.Strided);
                    Rotate(bench, size, 1, style, Layout.Dense);
                });
            }
        }
    }

    private static void Angles(Bench bench, int axes)
    {
        foreach (int tokens in new[] { 0, 1, 9 })
        {
            const int Half = 20;
            int[] positions = [.. Enumerable.Range(0, axes * tokens).Select(_ => bench.Random.Next(0, 40000))];
            int[] axis = [.. Enumerable.Range(0, Half).Select(_ => bench.Random.Next(axes))];
            Matrix inverse = bench.Vector(Half, () => Math.Pow(10000, -bench.Random.NextDouble()));
            Matrix angles = bench.Output(tokens, 2 * Half, type: ElementType.Float32);
            bench.Stream.RopeAngles(bench.Ints(axes, positions), new RopeFrequencies(inverse.View, bench.Ints(1, axis), 1.25f), angles.View);
            var expected = new Expected(tokens, 2 * Half);
            for (int t = 0; t < tokens; t++)
            {
                for (int j = 0; j < Half; j++)
                {
                    // The product is float32 by definition: its rounding is part of the result.
                    float angle = positions[(axis[j] * tokens) + t] * (float)inverse.Values[j];
                    expected.Set(t, j, 1.25 * Math.Cos(angle), 1);
                    expected.Set(t, Half + j, 1.25 * Math.Sin(angle), 1);
                }
            }

            bench.Compare(angles, expected, $"{tokens} tokens");
        }
    }

    private static void Rotate(Bench bench, int size, int half, RopeStyle style, Layout layout)
    {
        foreach (int tokens in new[] { 0, 1, 3, 8 })
        {
            Matrix heads = bench.Input(tokens, 3 * size, layout);
            Matrix angles = bench.Input(tokens, 2 * half, layout, () => (bench.Random.NextDouble() * 2) - 1, ElementType.Float32);
            bench.Stream.Rope(heads.View, size, new RopeArguments(angles.View, style));
            var expected = new Expected(tokens, 3 * size);
            for (int t = 0; t < tokens; t++)
                ReferenceRope.Rotate(expected, t, heads.Row(t), size, angles.Row(t), style);
            bench.Compare(heads, expected, $"{tokens} tokens, {2 * half} of {size}");
        }
    }
}
