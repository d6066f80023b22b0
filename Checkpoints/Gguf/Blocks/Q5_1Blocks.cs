using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// Q5_1, 32 values in 24 bytes: float16 d and m, 32 fifth bits, 16 bytes of nibbles. w = (d * q) + m. Codes of 5 bits
/// are non-negative as signed ones too, which devices take without moving the minimum.
/// </summary>
internal sealed class Q5_1Blocks : IGgufBlocks
{
    private const int Values = 32, Bytes = 24, HighAt = 4, NibblesAt = 8;

    public WeightFormat Format { get; } = new(WeightEncoding.Int8, Values, GroupOffset.Minimum);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            minimums[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block[2..]);
            FiveBits.Read(block.Slice(NibblesAt, 16), BinaryPrimitives.ReadUInt32LittleEndian(block[HighAt..]), 0, codes.Slice(i * Values, Values));
        }
    }
}
