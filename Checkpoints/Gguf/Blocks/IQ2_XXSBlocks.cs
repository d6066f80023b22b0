using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// IQ2_XXS, 256 values in 66 bytes: float16 d, then for each 32 values four grid indices of 8 bits and a word of four
/// times 7 signs and a 4-bit scale. w = ((d * (0.5 + sc)) * 0.25) * (grid value with its sign).
/// </summary>
internal sealed class IQ2_XXSBlocks : IGgufBlocks
{
    private const int Bytes = 66, Groups = 8, GroupSize = 32;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, GroupSize);

    public float[] Codebook { get; } = Codebooks.Signed(GgufGrids.Magnitudes2);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < blocks.Length / Bytes; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            for (int g = 0; g < Groups; g++)
            {
                ReadOnlySpan<byte> group = block.Slice(2 + (8 * g), 8);
                uint word = BinaryPrimitives.ReadUInt32LittleEndian(group[4..]);
                scales[(i * Groups) + g] = d * (0.5f + (word >> 28)) * 0.25f;
                for (int l = 0; l < 4; l++)
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(
                        codes[(((i * Groups) + g) * 16 + (4 * l))..],
                        GridCodes.Spread(GgufGrids.Iq2Xxs[group[l]]) | GridCodes.EvenSigns(word >> (7 * l)));
                }
            }
        }
    }
}
