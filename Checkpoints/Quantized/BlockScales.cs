namespace Portable.Checkpoints;

/// <summary>Scales of one byte.</summary>
internal static unsafe class BlockScales
{
    /// <summary>E8M0: 2^(bits - 127), 255 not a number (OCP Microscaling Formats 1.0).</summary>
    public static float E8M0(byte bits) => bits == 255 ? float.NaN : MathF.ScaleB(1, bits - 127);

    /// <summary>Fills a matrix whose codes lie in the file as they are and whose scales are bytes [rows, groups].</summary>
    /// <param name="codes">[rows, bytes of a row].</param>
    /// <param name="scales">[rows, groups].</param>
    /// <param name="values">What each byte means.</param>
    /// <param name="matrix">Receives codes and scales.</param>
    public static void Read(byte* codes, byte* scales, ReadOnlySpan<float> values, WeightMatrix matrix)
    {
        for (int row = 0; row < matrix.Rows; row++)
        {
            Span<byte> target = matrix.Codes(row);
            new ReadOnlySpan<byte>(codes + ((long)row * target.Length), target.Length).CopyTo(target);
            Span<float> rowScales = matrix.Scales(row);
            for (int group = 0; group < rowScales.Length; group++)
                rowScales[group] = values[scales[((long)row * rowScales.Length) + group]];
        }
    }
}
