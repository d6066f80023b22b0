using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Portable.Checkpoints;

/// <summary>
/// IQ4_XS, 256 values in 136 bytes: float16 d, eight scales whose upper 2 bits are a 16-bit word and whose lower 4 bits
/// are 4 bytes, then eight times 16 bytes of nibbles. w = (d * (sc - 32)) * kvalues_iq4nl[q].
/// </summary>
internal sealed class IQ4_XSBlocks : IGgufBlocks
{
    private const int Bytes = 136, Groups = 8, GroupSize = 32, HighAt = 2, LowAt = 4, CodesAt = 8;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, GroupSize);

    public float[] Codebook => Codebooks.Iq4;

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            int j = i % Groups;
            ReadOnlySpan<byte> block = blocks.Slice(i / Groups * Bytes, Bytes);
            int low = (block[LowAt + (j / 2)] >> (4 * (j % 2))) & 15;
            int high = (BinaryPrimitives.ReadUInt16LittleEndian(block[HighAt..]) >> (2 * j)) & 3;
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block) * ((low | (high << 4)) - 32);
            Nibbles.Interleave(Nibbles.Load(block, CodesAt + (16 * j))).CopyTo(codes.Slice(i * 16, 16));
        }
    }
}
