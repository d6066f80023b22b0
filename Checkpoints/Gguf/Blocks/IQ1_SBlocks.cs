using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// IQ1_S, 256 values in 50 bytes: float16 d, 32 grid indices of 8 bits, for 8 values each, then for each 32 values a word
/// of four times 3 upper bits, a 3-bit scale and the sign of the shift. w = (d * (2 * sc + 1)) * (grid value ± 1/8), which
/// is exactly the eighth of that scale times the odd integer of <see cref="ShiftedGrid"/>.
/// </summary>
internal sealed class IQ1_SBlocks : IGgufBlocks
{
    private const int Bytes = 50, Groups = 8, GroupSize = 32, WordsAt = 34;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, GroupSize);

    public float[] Codebook { get; } = ShiftedGrid.Codebook();

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < blocks.Length / Bytes; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            for (int g = 0; g < Groups; g++)
            {
                int word = BinaryPrimitives.ReadUInt16LittleEndian(block[(WordsAt + (2 * g))..]);
                scales[(i * Groups) + g] = d * ((2 * ((word >> 12) & 7)) + 1) * ShiftedGrid.Eighth;
                for (int l = 0; l < 4; l++)
                {
                    int index = block[2 + (4 * g) + l] | (((word >> (3 * l)) & 7) << 8);
                    BinaryPrimitives.WriteUInt32LittleEndian(codes[((i * 128) + (16 * g) + (4 * l))..], ShiftedGrid.Codes(index, word >> 15 != 0));
                }
            }
        }
    }
}
