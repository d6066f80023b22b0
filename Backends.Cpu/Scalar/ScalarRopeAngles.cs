namespace Portable.Backends.Cpu;

/// <summary>Cosines and sines of one token's positions.</summary>
internal static unsafe class ScalarRopeAngles
{
    /// <summary>The angle is the float32 product; its cosine and sine are those of that float32, correctly reduced.</summary>
    /// <param name="positions">The token's position on axis a is positions[a * axisStride].</param>
    /// <param name="axisStride">Elements from one axis to the next.</param>
    /// <param name="inverse">[half] inverse frequencies.</param>
    /// <param name="axes">[half] axis of each frequency.</param>
    /// <param name="half">Number of frequencies.</param>
    /// <param name="scale">Multiplies both.</param>
    /// <param name="angles">[2 * half]: cosines, then sines.</param>
    public static void Run(int* positions, nint axisStride, float* inverse, int* axes, int half, float scale, float* angles)
    {
        for (int j = 0; j < half; j++)
        {
            float angle = positions[axes[j] * axisStride] * inverse[j];
            (double sine, double cosine) = Math.SinCos(angle);
            angles[j] = (float)cosine * scale;
            angles[half + j] = (float)sine * scale;
        }
    }
}
