namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    /// <inheritdoc/>
    protected override void OnEmbed(TensorView ids, DeviceWeight table, TensorView output, float scale)
    {
        CpuMatrix[] parts = Live(table).Parts;
        int* tokens = Ints(ids);
        CheckIndices(tokens, output.Rows, table.Rows, nameof(ids));
        FloatRows rows = Rows(output);
        for (int t = 0; t < rows.Count; t++)
        {
            int row = tokens[t], part = 0;
            while (row >= parts[part].Rows)
                row -= parts[part++].Rows;
            parts[part].ReadRow(row, rows.Row(t));
            if (scale != 1)
                ScaleKernel.Run(rows.Row(t), rows.Columns, scale);
        }
    }

    /// <inheritdoc/>
    protected override void OnLinear(
        TensorView input, DeviceWeight weight, TensorView output, TensorView? bias, bool accumulate, ExpertGroups? experts)
    {
        CpuMatrix[] parts = Live(weight).Parts;
        FloatRows x = Rows(input), y = Rows(output);
        float* biases = bias is { } vector ? Floats(vector) : null;
        lock (_device.PoolTurn)
        {
            if (experts is { } groups)
            {
                int* offsets = Ints(groups.Offsets);
                CheckOffsets(offsets, parts.Length, x.Count, nameof(experts));
                for (int e = 0; e < parts.Length; e++)
                {
                    int first = offsets[e], count = offsets[e + 1] - first;
                    if (count > 0)
                        parts[e].Multiply(Slice(x, first, count), Slice(y, first, count), biases, accumulate, _device.Pool, _workspace);
                }

                return;
            }

            int column = 0;
            foreach (CpuMatrix part in parts)
            {
                var columns = new FloatRows(y.Data + column, y.Stride, y.Count, part.Rows);
                part.Multiply(x, columns, biases is null ? null : biases + column, accumulate, _device.Pool, _workspace);
                column += part.Rows;
            }
        }
    }

    private static CpuWeight Live(DeviceWeight weight)
    {
        var own = (CpuWeight)weight;
        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        return own;
    }

    private static FloatRows Slice(FloatRows rows, int first, int count) => new(rows.Row(first), rows.Stride, count, rows.Columns);
}
