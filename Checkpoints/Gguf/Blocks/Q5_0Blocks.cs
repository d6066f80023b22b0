using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// Q5_0, 32 values in 22 bytes: float16 d, 32 fifth bits, 16 bytes of nibbles. w = d * (q - 16), q - 16 being the
/// signed 8-bit code.
/// </summary>
internal sealed class Q5_0Blocks : IGgufBlocks
{
    private const int Values = 32, Bytes = 22, HighAt = 2, NibblesAt = 6, ZeroPoint = 16;

    public WeightFormat Format { get; } = new(WeightEncoding.Int8, Values);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            FiveBits.Read(block.Slice(NibblesAt, 16), BinaryPrimitives.ReadUInt32LittleEndian(block[HighAt..]), ZeroPoint, codes.Slice(i * Values, Values));
        }
    }
}
