using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>Q8_K, 256 values in 292 bytes: float32 d, 256 signed codes, then sums that reading does not need. w = d * q.</summary>
internal sealed class Q8_KBlocks : IGgufBlocks
{
    private const int Values = 256, Bytes = 292;

    public WeightFormat Format { get; } = new(WeightEncoding.Int8, Values);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = BinaryPrimitives.ReadSingleLittleEndian(block);
            block.Slice(4, Values).CopyTo(codes.Slice(i * Values, Values));
        }
    }
}
