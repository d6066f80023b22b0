namespace Portable.Backends.Cpu;

/// <summary>a + scale * b over a row.</summary>
internal static unsafe class ScalarAdd
{
    /// <summary>output may be one of the inputs.</summary>
    public static void Run(float* a, float* b, float* output, int length, float scale)
    {
        for (int i = 0; i < length; i++)
            output[i] = a[i] + (scale * b[i]);
    }
}
