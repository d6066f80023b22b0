namespace Portable.Backends.Cpu;

/// <summary>Root-mean-square norm of one group of one row, summed in float64.</summary>
internal static unsafe class ScalarRmsNorm
{
    /// <summary>output = x / sqrt(mean(x^2) + epsilon) * weight; with a residual x is residual + input, written back to it.</summary>
    public static void Run(float* input, float* weight, float* output, int length, float epsilon, float* residual)
    {
        if (residual is not null)
        {
            for (int i = 0; i < length; i++)
                residual[i] += input[i];
            input = residual;
        }

        double sum = 0;
        for (int i = 0; i < length; i++)
            sum += (double)input[i] * input[i];
        float factor = (float)(1 / Math.Sqrt((sum / length) + epsilon));
        for (int i = 0; i < length; i++)
            output[i] = input[i] * factor * weight[i];
    }
}
