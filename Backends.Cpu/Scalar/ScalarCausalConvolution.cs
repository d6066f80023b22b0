namespace Portable.Backends.Cpu;

/// <summary>One row of a depthwise causal convolution.</summary>
internal static unsafe class ScalarCausalConvolution
{
    /// <summary>output[c] = sum over k of taps[k * channels + c] * rows[k][c], in order of k.</summary>
    /// <param name="rows">One pointer for each tap, the oldest first.</param>
    /// <param name="taps">[count, channels].</param>
    /// <param name="count">Taps.</param>
    /// <param name="output">[channels].</param>
    /// <param name="first">The first channel.</param>
    /// <param name="channels">Channels.</param>
    public static void Run(float** rows, float* taps, int count, float* output, int first, int channels)
    {
        for (int c = first; c < channels; c++)
        {
            float sum = 0;
            for (int k = 0; k < count; k++)
                sum += taps[(k * channels) + c] * rows[k][c];
            output[c] = sum;
        }
    }
}
