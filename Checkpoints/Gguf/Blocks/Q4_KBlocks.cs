using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Portable.Checkpoints;

/// <summary>
/// Q4_K, 256 values in 144 bytes: float16 d and dmin, eight scales and eight minimums of 6 bits in 12 bytes, then four
/// times 32 bytes, whose low nibbles are one group of 32 and whose high nibbles the next.
/// w = ((d * sc) * q) - (dmin * m), which is (s * q) + min with s = d * sc and min = -(dmin * m), rounded to float32.
/// </summary>
internal sealed class Q4_KBlocks : IGgufBlocks
{
    private const int Bytes = 144, Groups = 8, GroupSize = 32, ScalesAt = 4, CodesAt = 16;

    public WeightFormat Format { get; } = new(WeightEncoding.UInt4, GroupSize, GroupOffset.Minimum);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length / Groups; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
            float dmin = (float)BinaryPrimitives.ReadHalfLittleEndian(block[2..]);
            ReadOnlySpan<byte> packed = block.Slice(ScalesAt, CodesAt - ScalesAt);
            for (int j = 0; j < Groups; j++)
            {
                (int scale, int minimum) = SixBits.Unpack(packed, j);
                scales[(i * Groups) + j] = d * scale;
                minimums[(i * Groups) + j] = -(dmin * minimum);
            }

            Span<byte> target = codes.Slice(i * Groups * (GroupSize / 2), Groups * (GroupSize / 2));
            for (int pair = 0; pair < Groups / 2; pair++)
            {
                Vector128<byte> first = Nibbles.Load(block, CodesAt + (pair * 32)), second = Nibbles.Load(block, CodesAt + (pair * 32) + 16);
                Nibbles.Pack(Nibbles.Low(first), Nibbles.Low(second)).CopyTo(target.Slice(pair * 32, 16));
                Nibbles.Pack(Nibbles.High(first), Nibbles.High(second)).CopyTo(target.Slice((pair * 32) + 16, 16));
            }
        }
    }
}
