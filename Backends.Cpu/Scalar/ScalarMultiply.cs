namespace Portable.Backends.Cpu;

/// <summary>a * b over a row.</summary>
internal static unsafe class ScalarMultiply
{
    /// <summary>output may be one of the inputs.</summary>
    public static void Run(float* a, float* b, float* output, int length)
    {
        for (int i = 0; i < length; i++)
            output[i] = a[i] * b[i];
    }
}
