using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// IQ2_S, 256 values in 82 bytes: float16 d, 32 grid indices of 8 bits, for 8 values each, 32 bytes of signs, 8 bytes with
/// the upper 2 bits of four indices each, 16 scales of 4 bits. w = ((d * (0.5 + sc)) * 0.25) * (grid value with its sign).
/// </summary>
internal sealed class IQ2_SBlocks : IGgufBlocks
{
    private const int Bytes = 82, Groups = 16, GroupSize = 16, SignsAt = 34, HighAt = 66, ScalesAt = 74;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, GroupSize);

    public float[] Codebook { get; } = Codebooks.Signed(GgufGrids.Magnitudes2);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < blocks.Length / Bytes; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            for (int g = 0; g < Groups; g++)
                scales[(i * Groups) + g] = d * (0.5f + ((block[ScalesAt + (g / 2)] >> (4 * (g % 2))) & 15)) * 0.25f;
            for (int l = 0; l < 32; l++)
            {
                int index = block[2 + l] | (((block[HighAt + (l / 4)] >> (2 * (l % 4))) & 3) << 8);
                BinaryPrimitives.WriteUInt32LittleEndian(
                    codes[((i * 128) + (4 * l))..], GridCodes.Spread(GgufGrids.Iq2S[index]) | GridCodes.Signs(block[SignsAt + l]));
            }
        }
    }
}
