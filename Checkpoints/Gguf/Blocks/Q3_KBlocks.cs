using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// Q3_K, 256 values in 110 bytes: 32 bytes of upper bits, 64 bytes of lower bit pairs, 16 scales of 6 bits in 12 bytes,
/// float16 d. w = (d * (sc - 32)) * (q - 4), q - 4 being the signed 8-bit code.
/// </summary>
internal sealed class Q3_KBlocks : IGgufBlocks
{
    private const int Values = 256, Bytes = 110, Groups = 16, GroupSize = 16, LowAt = 32, ScalesAt = 96, DeltaAt = 108;

    public WeightFormat Format { get; } = new(WeightEncoding.Int8, GroupSize);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length / Groups; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            ReadOnlySpan<byte> packed = block.Slice(ScalesAt, 12);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block[DeltaAt..]);
            for (int j = 0; j < Groups; j++)
            {
                int low = (packed[j % 8] >> (4 * (j / 8))) & 15, high = (packed[8 + (j % 4)] >> (2 * (j / 4))) & 3;
                scales[(i * Groups) + j] = d * ((low | (high << 4)) - 32);
            }

            // 32 values at a time: a bit pair of each of 32 bytes and one bit of each of the 32 bytes of upper bits.
            for (int slab = 0; slab < 8; slab++)
            {
                Span<byte> target = codes.Slice((i * Values) + (slab * 32), 32);
                ReadOnlySpan<byte> pairs = block.Slice(LowAt + (slab / 4 * 32), 32);
                for (int r = 0; r < target.Length; r++)
                    target[r] = (byte)(((pairs[r] >> (2 * (slab % 4))) & 3) + ((block[r] >> slab) & 1) * 4 - 4);
            }
        }
    }
}
