using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// Q5_K, 256 values in 176 bytes: as Q4_K, with 32 bytes of fifth bits between scales and nibbles; bit j of each belongs
/// to group j. w = ((d * sc) * q) - (dmin * m). Codes of 5 bits are non-negative as signed ones too, which devices take
/// without moving the minimum.
/// </summary>
internal sealed class Q5_KBlocks : IGgufBlocks
{
    private const int Values = 256, Bytes = 176, Groups = 8, GroupSize = 32, ScalesAt = 4, HighAt = 16, CodesAt = 48;

    public WeightFormat Format { get; } = new(WeightEncoding.Int8, GroupSize, GroupOffset.Minimum);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length / Groups; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            float dmin = (float)BinaryPrimitives.ReadHalfLittleEndian(block[2..]);
            ReadOnlySpan<byte> packed = block.Slice(ScalesAt, HighAt - ScalesAt), upper = block.Slice(HighAt, 32);
            for (int j = 0; j < Groups; j++)
            {
                (int scale, int minimum) = SixBits.Unpack(packed, j);
                scales[(i * Groups) + j] = d * scale;
                minimums[(i * Groups) + j] = -(dmin * minimum);
                ReadOnlySpan<byte> nibbles = block.Slice(CodesAt + (j / 2 * 32), 32);
                Span<byte> target = codes.Slice((i * Values) + (j * GroupSize), GroupSize);
                int shift = 4 * (j % 2);
                for (int r = 0; r < target.Length; r++)
                    target[r] = (byte)(((nibbles[r] >> shift) & 15) | ((upper[r] >> j & 1) << 4));
            }
        }
    }
}
