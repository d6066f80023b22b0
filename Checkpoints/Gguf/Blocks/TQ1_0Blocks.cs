using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// TQ1_0, 256 values in 54 bytes: bytes that hold five base-3 digits each, as a fraction of 256 whose leading digit comes
/// first, for 160 and 80 values, four bytes for the last 16, float16 d. w = d * (digit - 1).
/// </summary>
internal sealed class TQ1_0Blocks : IGgufBlocks
{
    private const int Values = 256, Bytes = 54, DeltaAt = 52;

    // First byte, number of bytes, digits used of each.
    private static readonly (int At, int Count, int Digits)[] Parts = [(0, 32, 5), (32, 16, 5), (48, 4, 4)];
    private static readonly int[] Powers = [1, 3, 9, 27, 81];

    public WeightFormat Format { get; } = new(WeightEncoding.UInt4, Values, GroupOffset.ZeroPoint);

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        zeroPoints.Fill(1);
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(block[DeltaAt..]);
            Span<byte> target = codes.Slice(i * Values / 2, Values / 2);
            int pair = 0;
            foreach ((int at, int count, int digits) in Parts)
            {
                for (int digit = 0; digit < digits; digit++)
                {
                    for (int k = at; k < at + count; k += 2)
                        target[pair++] = (byte)(Digit(block[k], Powers[digit]) | (Digit(block[k + 1], Powers[digit]) << 4));
                }
            }
        }
    }

    private static int Digit(byte packed, int power) => ((packed * power) & 255) * 3 >> 8;
}
