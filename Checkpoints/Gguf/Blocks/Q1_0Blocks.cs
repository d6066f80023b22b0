using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>Q1_0, 128 values in 18 bytes: float16 d, 128 bits. w = d * (2 * bit - 1), codes 0 and 2 around the zero point 1.</summary>
internal sealed class Q1_0Blocks : IGgufBlocks
{
    private const int Values = 128, Bytes = 18;

    public WeightFormat Format { get; } = new(WeightEncoding.UInt4, Values, GroupOffset.ZeroPoint);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        zeroPoints.Fill(1);
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            Span<byte> target = codes.Slice(i * Values / 2, Values / 2);
            for (int pair = 0; pair < target.Length; pair++)
            {
                int bits = block[2 + (pair / 4)] >> (2 * (pair % 4));
                target[pair] = (byte)(((bits & 1) << 1) | ((bits & 2) << 4));
            }
        }
    }
}
