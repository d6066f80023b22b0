using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>TQ2_0, 256 values in 66 bytes: 64 bytes of 2-bit codes in the order of Q2_K, float16 d. w = d * (q - 1).</summary>
internal sealed class TQ2_0Blocks : IGgufBlocks
{
    private const int Values = 256, Bytes = 66, DeltaAt = 64;

    public WeightFormat Format { get; } = new(WeightEncoding.UInt4, Values, GroupOffset.ZeroPoint);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        zeroPoints.Fill(1);
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block[DeltaAt..]);
            TwoBits.Read(block, codes.Slice(i * Values / 2, Values / 2));
        }
    }
}
