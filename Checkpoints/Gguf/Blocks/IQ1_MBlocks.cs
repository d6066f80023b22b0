using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// IQ1_M, 256 values in 56 bytes: 32 grid indices of 8 bits, for 8 values each, 16 bytes with 3 upper bits and the sign of
/// the shift of two indices each, four words of four 3-bit scales, whose upper nibbles make the float16 d.
/// w = (d * (2 * sc + 1)) * (grid value ± 1/8), as <see cref="IQ1_SBlocks"/>.
/// </summary>
internal sealed class IQ1_MBlocks : IGgufBlocks
{
    private const int Bytes = 56, Groups = 16, GroupSize = 16, HighAt = 32, WordsAt = 48;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, GroupSize);

    public float[] Codebook { get; } = ShiftedGrid.Codebook();

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < blocks.Length / Bytes; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            int bits = 0;
            for (int word = 0; word < 4; word++)
                bits |= block[WordsAt + (2 * word) + 1] >> 4 << (4 * word);
            float d = (float)BitConverter.UInt16BitsToHalf((ushort)bits);
            for (int g = 0; g < Groups; g++)
            {
                int scale = (BinaryPrimitives.ReadUInt16LittleEndian(block[(WordsAt + (g / 4 * 2))..]) >> (3 * (g % 4))) & 7;
                scales[(i * Groups) + g] = d * ((2 * scale) + 1) * ShiftedGrid.Eighth;
                for (int l = 0; l < 2; l++)
                {
                    int upper = block[HighAt + g] >> (4 * l), index = block[(2 * g) + l] | ((upper & 7) << 8);
                    BinaryPrimitives.WriteUInt32LittleEndian(codes[((i * 128) + (8 * g) + (4 * l))..], ShiftedGrid.Codes(index, (upper & 8) != 0));
                }
            }
        }
    }
}
