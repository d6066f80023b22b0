using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Portable.Checkpoints;

/// <summary>
/// Q6_K, 256 values in 210 bytes: 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales of 16 values each,
/// float16 d. w = (d * sc) * (q - 32), q - 32 being the signed 8-bit code.
/// </summary>
internal sealed class Q6_KBlocks : IGgufBlocks
{
    private const int Values = 256, Bytes = 210, Groups = 16, GroupSize = 16, HighAt = 128, ScalesAt = 192, DeltaAt = 208;

    public WeightFormat Format { get; } = new(WeightEncoding.Int8, GroupSize);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length / Groups; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block[DeltaAt..]);
            for (int j = 0; j < Groups; j++)
                scales[(i * Groups) + j] = d * (sbyte)block[ScalesAt + j];

            // Half a block: values 0-63 are the low nibbles of 64 bytes, 64-127 the high ones; each byte of upper bits
            // serves values r, r + 32, r + 64 and r + 96.
            for (int half = 0; half < 2; half++)
            {
                Span<byte> target = codes.Slice((i * Values) + (half * 128), 128);
                for (int r = 0; r < 32; r += 16)
                {
                    Vector128<byte> upper = Nibbles.Load(block, HighAt + (half * 32) + r);
                    Vector128<byte> first = Nibbles.Load(block, (half * 64) + r), second = Nibbles.Load(block, (half * 64) + 32 + r);
                    Code(Nibbles.Low(first), upper, 0).CopyTo(target.Slice(r, 16));
                    Code(Nibbles.Low(second), upper, 2).CopyTo(target.Slice(r + 32, 16));
                    Code(Nibbles.High(first), upper, 4).CopyTo(target.Slice(r + 64, 16));
                    Code(Nibbles.High(second), upper, 6).CopyTo(target.Slice(r + 96, 16));
                }
            }
        }
    }

    private static Vector128<byte> Code(Vector128<byte> low, Vector128<byte> upper, int shift)
    {
        Vector128<byte> bits = (upper.AsUInt16() >>> shift).AsByte() & Vector128.Create((byte)3);
        return (low | (bits.AsUInt16() << 4).AsByte()) - Vector128.Create((byte)32);
    }
}
