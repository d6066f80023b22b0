using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>Q8_0, 32 values in 34 bytes: float16 d, 32 signed codes. w = d * q.</summary>
internal sealed class Q8_0Blocks : IGgufBlocks
{
    private const int Values = 32, Bytes = 34;

    public WeightFormat Format { get; } = new(WeightEncoding.Int8, Values);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            block[2..].CopyTo(codes.Slice(i * Values, Values));
        }
    }
}
