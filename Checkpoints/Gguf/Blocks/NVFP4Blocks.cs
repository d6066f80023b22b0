namespace Portable.Checkpoints;

/// <summary>
/// NVFP4 of GGUF, 64 values in 36 bytes: four scales in unsigned E4M3, of 16 values each, then four times 8 bytes whose
/// low nibbles are values 0-7 and whose high nibbles are values 8-15. w = d * kvalues_fp4[q], d half of the scale, which
/// is 0 for the bytes 0 and 127.
/// </summary>
internal sealed class NVFP4Blocks : IGgufBlocks
{
    private const int Bytes = 36, Groups = 4, GroupSize = 16;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, GroupSize);

    public float[] Codebook => Codebooks.DoubledE2M1;

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length / Groups; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            for (int j = 0; j < Groups; j++)
                scales[(i * Groups) + j] = Scale(block[j]);
            Span<byte> target = codes.Slice(i * 32, 32);
            for (int pair = 0; pair < target.Length; pair++)
            {
                int group = pair / 8, at = Groups + (8 * group) + (2 * (pair % 4)), shift = pair % 8 / 4 * 4;
                target[pair] = (byte)(((block[at] >> shift) & 15) | (((block[at + 1] >> shift) & 15) << 4));
            }
        }
    }

    private static float Scale(byte scale)
    {
        int exponent = (scale >> 3) & 15, mantissa = scale & 7;
        return scale is 0 or 127 ? 0
            : exponent == 0 ? MathF.ScaleB(mantissa, -10)
            : MathF.ScaleB(8 + mantissa, exponent - 11);
    }
}
