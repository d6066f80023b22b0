using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// IQ3_XXS, 256 values in 98 bytes: float16 d, 64 grid indices of 8 bits, for 4 values each, then for each 32 values a
/// word of four times 7 signs and a 4-bit scale. w = ((d * (0.5 + sc)) * 0.5) * (grid value with its sign).
/// </summary>
internal sealed class IQ3_XXSBlocks : IGgufBlocks
{
    private const int Bytes = 98, Groups = 8, GroupSize = 32, WordsAt = 66;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, GroupSize);

    public float[] Codebook { get; } = Codebooks.Signed(GgufGrids.Magnitudes3Xxs);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < blocks.Length / Bytes; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            for (int g = 0; g < Groups; g++)
            {
                uint word = BinaryPrimitives.ReadUInt32LittleEndian(block[(WordsAt + (4 * g))..]);
                scales[(i * Groups) + g] = d * (0.5f + (word >> 28)) * 0.5f;
                for (int l = 0; l < 4; l++)
                {
                    int at = 2 + (8 * g) + (2 * l);
                    uint values = GgufGrids.Iq3Xxs[block[at]] | ((uint)GgufGrids.Iq3Xxs[block[at + 1]] << 16);
                    BinaryPrimitives.WriteUInt32LittleEndian(
                        codes[((i * 128) + (16 * g) + (4 * l))..], values | GridCodes.EvenSigns(word >> (7 * l)));
                }
            }
        }
    }
}
