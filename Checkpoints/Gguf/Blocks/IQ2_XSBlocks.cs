using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// IQ2_XS, 256 values in 74 bytes: float16 d, 32 words of a 9-bit grid index and 7 signs, for 8 values each, 16 scales
/// of 4 bits. w = ((d * (0.5 + sc)) * 0.25) * (grid value with its sign).
/// </summary>
internal sealed class IQ2_XSBlocks : IGgufBlocks
{
    private const int Bytes = 74, Groups = 16, GroupSize = 16, ScalesAt = 66;

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
                ushort word = BinaryPrimitives.ReadUInt16LittleEndian(block[(2 + (2 * l))..]);
                BinaryPrimitives.WriteUInt32LittleEndian(
                    codes[((i * 128) + (4 * l))..], GridCodes.Spread(GgufGrids.Iq2Xs[word & 511]) | GridCodes.EvenSigns((uint)word >> 9));
            }
        }
    }
}
