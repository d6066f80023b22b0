using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Portable.Checkpoints;

/// <summary>IQ4_NL, 32 values in 18 bytes: float16 d, 16 bytes of nibbles. w = d * kvalues_iq4nl[q].</summary>
internal sealed class IQ4_NLBlocks : IGgufBlocks
{
    private const int Values = 32, Bytes = 18;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, Values);

    public float[] Codebook => Codebooks.Iq4;

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            Nibbles.Interleave(Nibbles.Load(block, 2)).CopyTo(codes.Slice(i * 16, 16));
        }
    }
}
