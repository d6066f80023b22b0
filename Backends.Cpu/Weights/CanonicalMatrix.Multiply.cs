namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CanonicalMatrix
{
    /// <inheritdoc/>
    public override void Multiply(FloatRows x, FloatRows y, float* bias, bool accumulate, WorkerPool pool, CpuWorkspace workspace)
    {
        float* row = (float*)workspace.Shared(Columns * sizeof(float));
        for (int n = 0; n < Rows; n++)
        {
            Dequantize(n, 0, Columns, row);
            ScalarLinear.Run(x, row, bias is null ? 0 : bias[n], accumulate, y.Data + n, y.Stride);
        }
    }
}
