namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    /// <inheritdoc/>
    protected override void OnRmsNorm(TensorView input, TensorView weight, TensorView output, float epsilon, TensorView? residual)
    {
        NormJob job = new()
        {
            Input = Rows(input),
            Output = Rows(output),
            Residual = residual is { } sum ? Rows(sum) : default,
            Weight = Floats(weight),
            Group = weight.Columns,
            Epsilon = epsilon,
        };
        RunRows(&Rms, &job, input.Rows, input.Columns);

        static void Rms(void* argument, int worker, int chunk)
        {
            var job = (NormJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
            {
                float* residual = job->Residual.Data is null ? null : job->Residual.Row(t);
                for (int g = 0; g < job->Input.Columns; g += job->Group)
                    RmsNormKernel.Run(job->Input.Row(t) + g, job->Weight, job->Output.Row(t) + g, job->Group, job->Epsilon, residual);
            }
        }
    }

    /// <inheritdoc/>
    protected override void OnLayerNorm(TensorView input, TensorView weight, TensorView? bias, TensorView output, float epsilon)
    {
        NormJob job = new()
        {
            Input = Rows(input),
            Output = Rows(output),
            Weight = Floats(weight),
            Bias = bias is { } vector ? Floats(vector) : null,
            Epsilon = epsilon,
        };
        RunRows(&Layer, &job, input.Rows, input.Columns);

        static void Layer(void* argument, int worker, int chunk)
        {
            var job = (NormJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
                LayerNormKernel.Run(job->Input.Row(t), job->Weight, job->Bias, job->Output.Row(t), job->Input.Columns, job->Epsilon);
        }
    }

    private struct NormJob
    {
        public RowSplit Split;
        public FloatRows Input, Output, Residual;
        public float* Weight, Bias;
        public int Group;
        public float Epsilon;
    }
}
