using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// Q2_K, 256 values in 84 bytes: 16 bytes with a 4-bit scale and a 4-bit minimum each, 64 bytes of 2-bit codes, float16
/// d and dmin. w = ((d * sc) * q) - (dmin * m), which is (s * q) + min with min = -(dmin * m).
/// </summary>
internal sealed class Q2_KBlocks : IGgufBlocks
{
    private const int Values = 256, Bytes = 84, Groups = 16, GroupSize = 16, CodesAt = 16, DeltaAt = 80;

    public WeightFormat Format { get; } = new(WeightEncoding.UInt4, GroupSize, GroupOffset.Minimum);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length / Groups; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block[DeltaAt..]);
            float dmin = (float)BinaryPrimitives.ReadHalfLittleEndian(block[(DeltaAt + 2)..]);
            for (int j = 0; j < Groups; j++)
            {
                scales[(i * Groups) + j] = d * (block[j] & 15);
                minimums[(i * Groups) + j] = -(dmin * (block[j] >> 4));
            }

            TwoBits.Read(block[CodesAt..], codes.Slice(i * Values / 2, Values / 2));
        }
    }
}
