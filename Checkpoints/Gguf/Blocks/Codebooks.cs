namespace Portable.Checkpoints;

/// <summary>The values of 4-bit codes that are indices into a table.</summary>
internal static class Codebooks
{
    /// <summary>kvalues_iq4nl of ggml: IQ4_NL and IQ4_XS.</summary>
    public static float[] Iq4 { get; } = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The 4-bit float E2M1 (OCP Microscaling Formats 1.0); code 8 is minus zero.</summary>
    public static float[] E2M1 { get; } = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6];

    /// <summary>kvalues_fp4 of ggml: twice E2M1 as integers, so that code 8 is plus zero.</summary>
    public static float[] DoubledE2M1 { get; } = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    /// <summary>Codes of eight magnitudes with a sign: the lower three bits are the magnitude, the upper one is minus.</summary>
    public static float[] Signed(ReadOnlySpan<byte> magnitudes)
    {
        float[] values = new float[16];
        for (int i = 0; i < magnitudes.Length; i++)
        {
            values[i] = magnitudes[i];
            values[i + 8] = -magnitudes[i];
        }

        return values;
    }
}
