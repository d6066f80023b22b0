namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    // Elements of simple work that one activation costs.
    private const int ActivationCost = 4;

    /// <inheritdoc/>
    protected override void OnGatedActivation(TensorView gate, TensorView up, TensorView output, ActivationKind kind, float parameter)
    {
        ElementJob job = new() { A = Rows(gate), B = Rows(up), Output = Rows(output), Kind = kind, Scale = parameter };
        RunRows(&Gate, &job, output.Rows, output.Columns * (long)ActivationCost);

        static void Gate(void* argument, int worker, int chunk)
        {
            var job = (ElementJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
                ActivationKernel.Run(job->A.Row(t), job->B.Row(t), job->Output.Row(t), job->Output.Columns, job->Kind, job->Scale);
        }
    }

    /// <inheritdoc/>
    protected override void OnActivation(TensorView input, TensorView output, ActivationKind kind, float parameter)
    {
        ElementJob job = new() { A = Rows(input), Output = Rows(output), Kind = kind, Scale = parameter };
        RunRows(&Activate, &job, output.Rows, output.Columns * (long)ActivationCost);

        static void Activate(void* argument, int worker, int chunk)
        {
            var job = (ElementJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
                ActivationKernel.Run(job->A.Row(t), null, job->Output.Row(t), job->Output.Columns, job->Kind, job->Scale);
        }
    }

    /// <inheritdoc/>
    protected override void OnAdd(TensorView a, TensorView b, TensorView output, float scale, TensorView? rowScales)
    {
        ElementJob job = new()
        {
            A = Rows(a), B = Broadcast(b), Output = Rows(output), Scale = scale, RowScales = rowScales is { } scales ? Rows(scales) : default,
        };
        RunRows(&Sum, &job, output.Rows, output.Columns);

        static void Sum(void* argument, int worker, int chunk)
        {
            var job = (ElementJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
            {
                float scale = job->RowScales.Data is null ? job->Scale : job->Scale * *job->RowScales.Row(t);
                AddKernel.Run(job->A.Row(t), job->B.Row(t), job->Output.Row(t), job->Output.Columns, scale);
            }
        }
    }

    /// <inheritdoc/>
    protected override void OnMultiply(TensorView a, TensorView b, TensorView output)
    {
        ElementJob job = new() { A = Rows(a), B = Broadcast(b), Output = Rows(output) };
        RunRows(&Product, &job, output.Rows, output.Columns);

        static void Product(void* argument, int worker, int chunk)
        {
            var job = (ElementJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
                MultiplyKernel.Run(job->A.Row(t), job->B.Row(t), job->Output.Row(t), job->Output.Columns);
        }
    }

    /// <inheritdoc/>
    protected override void OnTopK(TensorView input, TensorView columns, TensorView values)
    {
        TopKJob job = new()
        {
            Input = Rows(input),
            Values = Rows(values),
            Columns = Ints(columns),
            ColumnStride = columns.RowStride,
        };
        RunRows(&Best, &job, input.Rows, input.Columns);

        static void Best(void* argument, int worker, int chunk)
        {
            var job = (TopKJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
                TopKKernel.Run(job->Input.Row(t), job->Input.Columns, job->Columns + (t * job->ColumnStride), job->Values.Row(t), job->Values.Columns);
        }
    }

    // A single row is combined with every row.
    private static FloatRows Broadcast(TensorView view) => new(Floats(view), view.Rows == 1 ? 0 : view.RowStride, view.Rows, view.Columns);

    private struct ElementJob
    {
        public RowSplit Split;
        public FloatRows A, B, Output, RowScales;
        public ActivationKind Kind;
        public float Scale;
    }

    private struct TopKJob
    {
        public RowSplit Split;
        public FloatRows Input, Values;
        public int* Columns;
        public nint ColumnStride;
    }
}
