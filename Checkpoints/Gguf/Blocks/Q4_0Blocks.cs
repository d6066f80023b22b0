using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Portable.Checkpoints;

/// <summary>Q4_0, 32 values in 18 bytes: float16 d, 16 bytes of nibbles. w = d * (q - 8).</summary>
internal sealed class Q4_0Blocks : IGgufBlocks
{
    private const int Values = 32, Bytes = 18, ZeroPoint = 8;

    public WeightFormat Format { get; } = new(WeightEncoding.UInt4, Values, GroupOffset.ZeroPoint);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        zeroPoints.Fill(ZeroPoint);
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            Nibbles.Interleave(Nibbles.Load(block, 2)).CopyTo(codes.Slice(i * 16, 16));
        }
    }
}
