namespace Portable.Backends.Cpu;

/// <summary>Layer norm of one row, summed in float64.</summary>
internal static unsafe class ScalarLayerNorm
{
    /// <summary>output = (x - mean) / sqrt(variance + epsilon) * weight + bias; bias may be null.</summary>
    public static void Run(float* input, float* weight, float* bias, float* output, int length, float epsilon)
    {
        double mean = 0, variance = 0;
        for (int i = 0; i < length; i++)
            mean += input[i];
        mean /= length;
        for (int i = 0; i < length; i++)
            variance += (input[i] - mean) * (input[i] - mean);
        double factor = 1 / Math.Sqrt((variance / length) + epsilon);
        for (int i = 0; i < length; i++)
            output[i] = (float)((input[i] - mean) * factor * weight[i]) + (bias is null ? 0 : bias[i]);
    }
}
