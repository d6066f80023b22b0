using System.Numerics;

namespace Portable.Testing.Foreign;

internal sealed partial class ForeignStream
{
    protected override void OnEmbed(TensorView ids, DeviceWeight table, TensorView output, float scale)
    {
        ForeignWeight own = Own(table);
        Enqueue(nameof(Embed), [ids, output], launch =>
        {
            ForeignTensor tokens = launch.Read(ids, nameof(ids)), result = launch.Write(output, nameof(output));
            ForeignWeightRows rows = own.Open(launch.Operation);
            float[] values = new float[output.Columns];
            for (int t = 0; t < output.Rows; t++)
            {
                rows.Read(0, launch.Index(tokens, 0, t, own.Rows, "id"), values);
                for (int c = 0; c < values.Length; c++)
                    values[c] *= scale;
                result.Write(t, values);
            }
        });
    }

    protected override void OnLinear(
        TensorView input, DeviceWeight weight, TensorView output, TensorView? bias, bool accumulate, ExpertGroups? experts)
    {
        ForeignWeight own = Own(weight);
        Enqueue(nameof(Linear), Some([input, output], bias, experts?.Offsets), launch =>
        {
            ForeignTensor x = launch.Read(input, nameof(input)), y = launch.Write(output, nameof(output));
            ForeignWeightRows rows = own.Open(launch.Operation);
            float[]? add = bias is { } b ? launch.Read(b, nameof(bias)).Row(0) : null;
            if (experts is not { } groups)
            {
                Multiply(x, y, rows, 0, 0, input.Rows, add, accumulate);
                return;
            }

            int[] offsets = Offsets(launch, launch.Read(groups.Offsets, nameof(experts)), own.Experts, input.Rows, int.MaxValue);
            for (int expert = 0; expert < own.Experts; expert++)
                Multiply(x, y, rows, expert, offsets[expert], offsets[expert + 1], add, accumulate);
        });
    }

    private static void Multiply(
        ForeignTensor x, ForeignTensor y, ForeignWeightRows rows, int expert, int first, int end, float[]? bias, bool accumulate)
    {
        float[][] inputs = [.. Enumerable.Range(first, end - first).Select(x.Row)];
        float[] weights = new float[x.Columns];
        for (int n = 0; n < y.Columns; n++)
        {
            rows.Read(expert, n, weights);
            for (int t = first; t < end; t++)
            {
                float sum = Dot(inputs[t - first], weights) + (bias is null ? 0 : bias[n]);
                y.Set(t, n, accumulate ? y.Get(t, n) + sum : sum);
            }
        }
    }

    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Vector<float> sums = Vector<float>.Zero;
        int k = 0;
        for (; k <= a.Length - Vector<float>.Count; k += Vector<float>.Count)
            sums += new Vector<float>(a[k..]) * new Vector<float>(b[k..]);
        float sum = Vector.Sum(sums);
        for (; k < a.Length; k++)
            sum += a[k] * b[k];
        return sum;
    }

    /// <summary>Reads offsets of neighbouring ranges: from 0 or more, rising, within the rows.</summary>
    private static int[] Offsets(ForeignLaunch launch, ForeignTensor offsets, int ranges, int rows, int maxLength)
    {
        int[] values = new int[ranges + 1];
        for (int i = 0; i <= ranges; i++)
        {
            values[i] = launch.Index(offsets, 0, i, rows + 1L, "offset");
            if (i > 0 && (values[i] < values[i - 1] || values[i] - values[i - 1] > maxLength))
                throw launch.Fault($"offsets {values[i - 1]}, {values[i]}: expected a length of 0 … {maxLength}");
        }

        return values;
    }

    private static TensorView[] Some(TensorView[] always, params ReadOnlySpan<TensorView?> optional)
    {
        List<TensorView> views = [.. always];
        foreach (TensorView? view in optional)
        {
            if (view is { } present)
                views.Add(present);
        }

        return [.. views];
    }
}
