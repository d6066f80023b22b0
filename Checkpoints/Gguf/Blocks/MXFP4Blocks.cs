using System.Runtime.Intrinsics;

namespace Portable.Checkpoints;

/// <summary>
/// MXFP4 of GGUF, 32 values in 17 bytes: an exponent, 16 bytes of nibbles. w = 2^(e - 128) * kvalues_fp4[q]; ggml knows no
/// exponent that is not a number.
/// </summary>
internal sealed class MXFP4Blocks : IGgufBlocks
{
    private const int Values = 32, Bytes = 17;

    public WeightFormat Format { get; } = new(WeightEncoding.Codebook4, Values);

    public float[] Codebook => Codebooks.DoubledE2M1;

    public void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(i * Bytes, Bytes);
            scales[i] = MathF.ScaleB(1, block[0] - 128);
            Nibbles.Interleave(Nibbles.Load(block, 1)).CopyTo(codes.Slice(i * 16, 16));
        }
    }
}
