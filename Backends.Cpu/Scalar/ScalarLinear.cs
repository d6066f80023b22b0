namespace Portable.Backends.Cpu;

/// <summary>One output of a matrix product for every row, summed in float64.</summary>
internal static unsafe class ScalarLinear
{
    /// <summary>y[t * yStride] = x[t] . weight + bias, or added to it.</summary>
    public static void Run(FloatRows x, float* weight, float bias, bool accumulate, float* y, nint yStride)
    {
        for (int t = 0; t < x.Count; t++)
        {
            float* row = x.Row(t);
            double sum = bias;
            for (int k = 0; k < x.Columns; k++)
                sum += (double)row[k] * weight[k];
            y[t * yStride] = (accumulate ? y[t * yStride] : 0) + (float)sum;
        }
    }
}
