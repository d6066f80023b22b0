namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    /// <inheritdoc/>
    protected override void OnGatherRows(TensorView source, TensorView indices, TensorView output)
    {
        CheckIndices(Ints(indices), output.Rows, source.Rows, nameof(indices));
        long bytes = (long)source.Columns * source.Type.Size();
        for (int i = 0; i < output.Rows; i++)
            Buffer.MemoryCopy(RowBytes(source, Ints(indices)[i]), RowBytes(output, i), bytes, bytes);
    }

    /// <inheritdoc/>
    protected override void OnScatterRows(TensorView source, TensorView indices, TensorView output, bool accumulate)
    {
        if (accumulate && source.Type != ElementType.Float32)
            throw new ArgumentException($"ScatterRows: the CPU adds float32 rows, found {source.Type}", nameof(source));
        CheckIndices(Ints(indices), source.Rows, output.Rows, nameof(indices));
        long bytes = (long)source.Columns * source.Type.Size();
        for (int i = 0; i < source.Rows; i++)
        {
            byte* from = RowBytes(source, i), to = RowBytes(output, Ints(indices)[i]);
            if (accumulate)
                AddKernel.Run((float*)to, (float*)from, (float*)to, source.Columns, 1);
            else
                Buffer.MemoryCopy(from, to, bytes, bytes);
        }
    }

    /// <inheritdoc/>
    protected override void OnCopy(TensorView source, TensorView output)
    {
        long bytes = (long)source.Columns * source.Type.Size();
        for (int t = 0; t < source.Rows; t++)
        {
            if (source.Type == output.Type)
                Buffer.MemoryCopy(RowBytes(source, t), RowBytes(output, t), bytes, bytes);
            else
                CastKernel.Run(RowBytes(source, t), source.Type, RowBytes(output, t), output.Type, source.Columns);
        }
    }

    /// <inheritdoc/>
    protected override void OnFill(TensorView output, float value)
    {
        for (int t = 0; t < output.Rows; t++)
        {
            byte* row = RowBytes(output, t);
            if (output.Type == ElementType.Float32)
                new Span<float>(row, output.Columns).Fill(value);
            else if (output.Columns > 0)
            {
                ScalarCast.Store(row, output.Type, 0, value);
                new Span<ushort>(row, output.Columns).Fill(*(ushort*)row);
            }
        }
    }

    private static byte* RowBytes(TensorView view, int row) => Bytes(view) + ((long)row * view.RowStride * view.Type.Size());
}
