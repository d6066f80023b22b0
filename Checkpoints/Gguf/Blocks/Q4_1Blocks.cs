using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Portable.Checkpoints;

/// <summary>Q4_1, 32 values in 20 bytes: float16 d, float16 m, 16 bytes of nibbles. w = (d * q) + m.</summary>
internal sealed class Q4_1Blocks : IGgufBlocks
{
    private const int Values = 32, Bytes = 20;

    public WeightFormat Format { get; } = new(WeightEncoding.UInt4, Values, GroupOffset.Minimum);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            minimums[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block[2..]);
            Nibbles.Interleave(Nibbles.Load(block, 4)).CopyTo(codes.Slice(i * 16, 16));
        }
    }
}
