namespace Portable.Testing.Foreign;

internal sealed partial class ForeignStream
{
    protected override void OnRmsNorm(TensorView input, TensorView weight, TensorView output, float epsilon, TensorView? residual) =>
        Enqueue(nameof(RmsNorm), Some([input, weight, output], residual), launch =>
        {
            ForeignTensor x = launch.Read(input, nameof(input)), y = launch.Write(output, nameof(output));
            ForeignTensor? sums = residual is { } r ? launch.Write(r, nameof(residual)) : null;
            float[] scale = launch.Read(weight, nameof(weight)).Row(0);
            float[] row = new float[input.Columns];
            for (int t = 0; t < input.Rows; t++)
            {
                x.Read(t, row);
                if (sums is { } sum)
                {
                    float[] old = sum.Row(t);
                    for (int c = 0; c < row.Length; c++)
                        row[c] += old[c];
                    sum.Write(t, row);
                }

                for (int start = 0; start < row.Length; start += scale.Length)
                {
                    Span<float> group = row.AsSpan(start, scale.Length);
                    double squares = 0;
                    foreach (float value in group)
                        squares += (double)value * value;
                    double inverse = 1 / Math.Sqrt((squares / group.Length) + epsilon);
                    for (int c = 0; c < group.Length; c++)
                        group[c] = (float)(group[c] * inverse * scale[c]);
                }

                y.Write(t, row);
            }
        });

    protected override void OnLayerNorm(TensorView input, TensorView weight, TensorView? bias, TensorView output, float epsilon) =>
        Enqueue(nameof(LayerNorm), Some([input, weight, output], bias), launch =>
        {
            ForeignTensor x = launch.Read(input, nameof(input)), y = launch.Write(output, nameof(output));
            float[] scale = launch.Read(weight, nameof(weight)).Row(0);
            float[]? add = bias is { } b ? launch.Read(b, nameof(bias)).Row(0) : null;
            float[] row = new float[input.Columns];
            for (int t = 0; t < input.Rows; t++)
            {
                x.Read(t, row);
                double mean = 0, variance = 0;
                foreach (float value in row)
                    mean += value;
                mean /= row.Length;
                foreach (float value in row)
                    variance += (value - mean) * (value - mean);
                double inverse = 1 / Math.Sqrt((variance / row.Length) + epsilon);
                for (int c = 0; c < row.Length; c++)
                    row[c] = (float)(((row[c] - mean) * inverse * scale[c]) + (add is null ? 0 : add[c]));
                y.Write(t, row);
            }
        });

    protected override void OnRopeAngles(TensorView positions, RopeFrequencies frequencies, TensorView angles) =>
        Enqueue(nameof(RopeAngles), [positions, frequencies.InverseFrequencies, frequencies.Axes, angles], launch =>
        {
            ForeignTensor where = launch.Read(positions, nameof(positions)), axes = launch.Read(frequencies.Axes, "axes");
            float[] inverse = launch.Read(frequencies.InverseFrequencies, "inverse frequencies").Row(0);
            ForeignTensor result = launch.Write(angles, nameof(angles));
            for (int t = 0; t < angles.Rows; t++)
            {
                for (int j = 0; j < inverse.Length; j++)
                {
                    int position = where.Int(launch.Index(axes, 0, j, positions.Rows, "axis"), t);
                    if (position is > 1 << 24 or < -(1 << 24))
                        throw launch.Fault($"position {position} of row {t} is not inside +-2^24");
                    float angle = position * inverse[j];
                    result.Set(t, j, (float)(Math.Cos(angle) * frequencies.Scale));
                    result.Set(t, inverse.Length + j, (float)(Math.Sin(angle) * frequencies.Scale));
                }
            }
        });

    protected override void OnRope(TensorView heads, int headSize, RopeArguments rope) =>
        Enqueue(nameof(Rope), [heads, rope.Angles], launch =>
        {
            ForeignTensor data = launch.Write(heads, nameof(heads)), angles = launch.Read(rope.Angles, "angles");
            int half = rope.Angles.Columns / 2;
            float[] row = new float[heads.Columns], turn = new float[2 * half];
            for (int t = 0; t < heads.Rows; t++)
            {
                data.Read(t, row);
                angles.Read(t, turn);
                for (int start = 0; start < row.Length; start += headSize)
                {
                    for (int j = 0; j < half; j++)
                    {
                        int first = start + (rope.Style == RopeStyle.Halves ? j : 2 * j);
                        int second = start + (rope.Style == RopeStyle.Halves ? j + half : (2 * j) + 1);
                        float a = row[first], b = row[second], cosine = turn[j], sine = turn[half + j];
                        row[first] = (a * cosine) - (b * sine);
                        row[second] = (b * cosine) + (a * sine);
                    }
                }

                data.Write(t, row);
            }
        });
}
