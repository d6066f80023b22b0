namespace Portable.Testing.Foreign;

internal sealed partial class ForeignStream
{
    protected override void OnGatedActivation(TensorView gate, TensorView up, TensorView output, ActivationKind kind, float parameter) =>
        Enqueue(nameof(GatedActivation), [gate, up, output], launch =>
        {
            ForeignTensor a = launch.Read(gate, nameof(gate)), b = launch.Read(up, nameof(up));
            Combine(launch.Write(output, nameof(output)), a, b, (x, y) => kind == ActivationKind.ClampedSwiglu
                ? (float)(Activate(ActivationKind.QuickGelu, Math.Min(x, parameter), 0) * (Math.Clamp(y, -parameter, parameter) + 1))
                : (float)(Activate(kind, x, 0) * y));
        });

    protected override void OnActivation(TensorView input, TensorView output, ActivationKind kind, float parameter) =>
        Enqueue(nameof(Activation), [input, output], launch =>
        {
            ForeignTensor a = launch.Read(input, nameof(input));
            Combine(launch.Write(output, nameof(output)), a, a, (x, _) => (float)Activate(kind, x, parameter));
        });

    protected override void OnAdd(TensorView a, TensorView b, TensorView output, float scale, TensorView? rowScales) =>
        Enqueue(nameof(Add), rowScales is { } used ? [a, b, used, output] : [a, b, output], launch =>
        {
            ForeignTensor left = launch.Read(a, nameof(a)), right = launch.Read(b, nameof(b));
            ForeignTensor to = launch.Write(output, nameof(output));
            if (rowScales is not { } view)
            {
                Combine(to, left, right, (x, y) => x + (scale * y));
                return;
            }

            ForeignTensor scales = launch.Read(view, nameof(rowScales));
            float[] sum = new float[output.Columns], add = new float[output.Columns];
            for (int r = 0; r < output.Rows; r++)
            {
                float rowScale = scale * scales.Row(r)[0];
                left.Read(r, sum);
                right.Read(right.Rows == 1 ? 0 : r, add);
                for (int c = 0; c < sum.Length; c++)
                    sum[c] += rowScale * add[c];
                to.Write(r, sum);
            }
        });

    protected override void OnMultiply(TensorView a, TensorView b, TensorView output) =>
        Enqueue(nameof(Multiply), [a, b, output], launch =>
        {
            ForeignTensor left = launch.Read(a, nameof(a)), right = launch.Read(b, nameof(b));
            Combine(launch.Write(output, nameof(output)), left, right, (x, y) => x * y);
        });

    protected override void OnGatherRows(TensorView source, TensorView indices, TensorView output) =>
        Enqueue(nameof(GatherRows), [source, indices, output], launch =>
        {
            ForeignTensor from = launch.Read(source, nameof(source)), rows = launch.Read(indices, nameof(indices));
            ForeignTensor to = launch.Write(output, nameof(output));
            for (int i = 0; i < output.Rows; i++)
                from.Bytes(launch.Index(rows, 0, i, source.Rows, "row")).CopyTo(to.Bytes(i));
        });

    protected override void OnScatterRows(TensorView source, TensorView indices, TensorView output, bool accumulate) =>
        Enqueue(nameof(ScatterRows), [source, indices, output], launch =>
        {
            ForeignTensor from = launch.Read(source, nameof(source)), rows = launch.Read(indices, nameof(indices));
            ForeignTensor to = launch.Write(output, nameof(output));
            var seen = new HashSet<int>();
            for (int i = 0; i < source.Rows; i++)
            {
                int row = launch.Index(rows, 0, i, output.Rows, "row");
                if (!seen.Add(row))
                    throw launch.Fault($"row {row} is written twice; indices must be distinct");
                if (!accumulate)
                {
                    from.Bytes(i).CopyTo(to.Bytes(row));
                    continue;
                }

                float[] sum = to.Row(row), add = from.Row(i);
                for (int c = 0; c < sum.Length; c++)
                    sum[c] += add[c];
                to.Write(row, sum);
            }
        });

    protected override void OnTopK(TensorView input, TensorView columns, TensorView values) =>
        Enqueue(nameof(TopK), [input, columns, values], launch =>
        {
            ForeignTensor from = launch.Read(input, nameof(input));
            ForeignTensor where = launch.Write(columns, nameof(columns)), what = launch.Write(values, nameof(values));
            for (int r = 0; r < input.Rows; r++)
            {
                float[] row = from.Row(r);
                int[] order = [.. Enumerable.Range(0, row.Length).OrderByDescending(c => row[c]).ThenBy(c => c).Take(columns.Columns)];
                for (int k = 0; k < order.Length; k++)
                {
                    where.SetInt(r, k, order[k]);
                    what.Set(r, k, row[order[k]]);
                }
            }
        });

    protected override void OnCopy(TensorView source, TensorView output) =>
        Enqueue(nameof(Copy), [source, output], launch =>
        {
            ForeignTensor from = launch.Read(source, nameof(source)), to = launch.Write(output, nameof(output));
            for (int r = 0; r < source.Rows; r++)
            {
                if (source.Type == output.Type)
                    from.Bytes(r).CopyTo(to.Bytes(r));
                else
                    to.Write(r, from.Row(r));
            }
        });

    protected override void OnFill(TensorView output, float value) =>
        Enqueue(nameof(Fill), [output], launch =>
        {
            ForeignTensor to = launch.Write(output, nameof(output));
            float[] row = new float[output.Columns];
            Array.Fill(row, value);
            for (int r = 0; r < output.Rows; r++)
                to.Write(r, row);
        });

    private static void Combine(ForeignTensor output, ForeignTensor a, ForeignTensor b, Func<float, float, float> function)
    {
        float[] left = new float[output.Columns], right = new float[output.Columns];
        for (int r = 0; r < output.Rows; r++)
        {
            a.Read(r, left);
            b.Read(b.Rows == 1 ? 0 : r, right);
            for (int c = 0; c < left.Length; c++)
                left[c] = function(left[c], right[c]);
            output.Write(r, left);
        }
    }

    private static double Activate(ActivationKind kind, double x, double parameter) => kind switch
    {
        ActivationKind.Silu => x / (1 + Math.Exp(-x)),
        ActivationKind.Gelu => 0.5 * x * Erfc(-x / Math.Sqrt(2)),
        ActivationKind.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        ActivationKind.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        ActivationKind.Sigmoid => 1 / (1 + Math.Exp(-x)),
        ActivationKind.Relu => Math.Max(x, 0),
        ActivationKind.SoftCap => parameter * Math.Tanh(x / parameter),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown activation"),
    };

    // Complementary error function, Chebyshev fit with fractional error below 1.2e-7 everywhere: far below float16's
    // rounding (W. H. Press et al., Numerical Recipes, section 6.2).
    private static double Erfc(double x)
    {
        double z = Math.Abs(x), t = 1 / (1 + (0.5 * z));
        double y = t * Math.Exp((-z * z) - 1.26551223 + (t * (1.00002368 + (t * (0.37409196 + (t * (0.09678418
            + (t * (-0.18628806 + (t * (0.27886807 + (t * (-1.13520398 + (t * (1.48851587 + (t * (-0.82215223 + (t * 0.17087277))))))))))))))))));
        return x >= 0 ? y : 2 - y;
    }
}
