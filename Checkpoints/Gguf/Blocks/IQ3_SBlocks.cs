using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// IQ3_S, 256 values in 110 bytes: float16 d, 64 grid indices of 8 bits, for 4 values each, 8 bytes of their ninth bits,
/// 32 bytes of signs, eight scales of 4 bits. w = (d * (1 + 2 * sc)) * (grid value with its sign).
/// </summary>
internal sealed class IQ3_SBlocks : IGgufBlocks
{
    private const int Bytes = 110, Groups = 8, GroupSize = 32, HighAt = 66, SignsAt = 74, ScalesAt = 106;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, GroupSize);

    public float[] Codebook { get; } = Codebooks.Signed(GgufGrids.Magnitudes3S);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < blocks.Length / Bytes; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            for (int g = 0; g < Groups; g++)
            {
                scales[(i * Groups) + g] = d * (1 + (2 * ((block[ScalesAt + (g / 2)] >> (4 * (g % 2))) & 15)));
                int upper = block[HighAt + g];
                for (int l = 0; l < 4; l++)
                {
                    int at = 2 + (8 * g) + (2 * l);
                    int first = block[at] | ((upper >> (2 * l) & 1) << 8), second = block[at + 1] | ((upper >> ((2 * l) + 1) & 1) << 8);
                    BinaryPrimitives.WriteUInt32LittleEndian(
                        codes[((i * 128) + (16 * g) + (4 * l))..],
                        GgufGrids.Iq3S[first] | ((uint)GgufGrids.Iq3S[second] << 16) | GridCodes.Signs(block[SignsAt + (4 * g) + l]));
                }
            }
        }
    }
}
