namespace Portable.Backends.Cpu;

/// <summary>A row multiplied by one number in place.</summary>
internal static unsafe class ScaleKernel
{
    /// <summary>values *= scale.</summary>
    public static void Run(float* values, int length, float scale)
    {
        for (int i = 0; i < length; i++)
            values[i] *= scale;
    }
}
