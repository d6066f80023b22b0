using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>Q2_0, 64 values in 18 bytes: float16 d, 64 codes of 2 bits, four neighbours in a byte. w = d * (q - 1).</summary>
internal sealed class Q2_0Blocks : IGgufBlocks
{
    private const int Values = 64, Bytes = 18;

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
                int bits = block[2 + (pair / 2)] >> (4 * (pair % 2));
                target[pair] = (byte)((bits & 3) | ((bits & 12) << 2));
            }
        }
    }
}
