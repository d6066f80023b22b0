using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// Rounds a row of activations to 8 bits by blocks of 32 inputs: scale = max|x| / 127, code = x * (127 / max|x|),
/// rounded half to even. Scales are stored divided by a power of two of the row, the one that brings its largest |x|
/// into [1, 2), so that the sums of the kernels stay far from overflow and underflow whatever the unit of x.
/// A block whose largest |x| is below 2^-100 counts as zero; one that holds an infinity or a NaN gives NaN.
/// </summary>
internal static unsafe class ActivationQuantizer
{
    private const int SmallestMagnitude = (127 - 100) << 23;
    private const int InfinityBits = 0x7f800000;

    // Adding 1.5 * 2^23 leaves |x| < 2^22, rounded half to even, in the low bits.
    private const float RoundingShift = 12582912f;

    /// <summary>
    /// Quantises one row into a tile.
    /// </summary>
    /// <param name="x">The row.</param>
    /// <param name="columns">Its inputs; the last block is filled up with zeros.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="rows">Rows of the tile.</param>
    /// <param name="row">This row's place in the tile.</param>
    /// <returns>The row's power of two.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Quantize(float* x, int columns, ActivationRows tile, int rows, int row)
    {
        int blocks = (int)(((long)columns + PanelShape.BlockInputs - 1) / PanelShape.BlockInputs);
        float* padded = stackalloc float[PanelShape.BlockInputs];
        sbyte* codes = tile.Codes + (4 * row);
        float* scales = tile.Scales + row, sums = tile.Sums + row;
        int* starts = tile.Starts + (ActivationRows.StartsPerBlock * row);
        int largest = 0;
        for (int block = 0; block < blocks; block++)
        {
            float* source = x + ((long)block * PanelShape.BlockInputs);
            int valid = columns - (block * PanelShape.BlockInputs);
            if (valid < PanelShape.BlockInputs)
            {
                new Span<float>(padded, PanelShape.BlockInputs).Clear();
                new ReadOnlySpan<float>(source, valid).CopyTo(new Span<float>(padded, valid));
                source = padded;
            }

            largest = Math.Max(largest, QuantizeBlock(source, codes, 4 * rows, scales, sums, starts));
            codes += PanelShape.BlockInputs * rows;
            scales += rows;
            sums += rows;
            starts += ActivationRows.StartsPerBlock * rows;
        }

        int exponent = Math.Clamp((largest >> 23) - 127, -100, 127);
        float unit = BitConverter.Int32BitsToSingle((127 - Math.Min(exponent, 126)) << 23);
        scales = tile.Scales + row;
        sums = tile.Sums + row;
        for (int i = 0; i < blocks * rows; i += rows)
        {
            scales[i] *= unit;
            sums[i] *= scales[i];
        }

        return 1 / unit;
    }

    // Leaves the starts, the unscaled scale and the integer sum; returns the bits of the largest magnitude, which order as the values do.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int QuantizeBlock(float* x, sbyte* codes, int stride, float* scale, float* sum, int* starts)
    {
        Vector256<float> x0 = Vector256.Load(x), x1 = Vector256.Load(x + 8), x2 = Vector256.Load(x + 16), x3 = Vector256.Load(x + 24);
        Vector256<int> magnitude = Vector256.Max(
            Vector256.Max(Vector256.Abs(x0).AsInt32(), Vector256.Abs(x1).AsInt32()),
            Vector256.Max(Vector256.Abs(x2).AsInt32(), Vector256.Abs(x3).AsInt32()));
        Vector128<int> narrower = Vector128.Max(magnitude.GetLower(), magnitude.GetUpper());
        narrower = Vector128.Max(narrower, Vector128.Shuffle(narrower, Vector128.Create(2, 3, 0, 1)));
        narrower = Vector128.Max(narrower, Vector128.Shuffle(narrower, Vector128.Create(1, 0, 3, 2)));
        int largest = narrower.ToScalar();
        if (largest is < SmallestMagnitude or >= InfinityBits)
        {
            for (int i = 0; i < 8; i++)
                *(int*)(codes + (i * stride)) = 0;
            *scale = largest < SmallestMagnitude ? 0 : float.NaN;
            *sum = 0;
            Vector128<int>.Zero.Store(starts);
            return largest < SmallestMagnitude ? 0 : largest;
        }

        float maximum = BitConverter.Int32BitsToSingle(largest);
        *scale = maximum / 127;
        Vector256<float> inverse = Vector256.Create(127 / maximum), shift = Vector256.Create(RoundingShift);
        Vector256<int> q0 = ((x0 * inverse) + shift).AsInt32() - shift.AsInt32();
        Vector256<int> q1 = ((x1 * inverse) + shift).AsInt32() - shift.AsInt32();
        Vector256<int> q2 = ((x2 * inverse) + shift).AsInt32() - shift.AsInt32();
        Vector256<int> q3 = ((x3 * inverse) + shift).AsInt32() - shift.AsInt32();
        int first = Vector256.Sum(q0 + q1), second = Vector256.Sum(q2 + q3), both = first + second;
        *sum = both;
        starts[ActivationRows.PairedNibbles] = ((-4 * both) & 0xffff) * 0x10001;
        starts[ActivationRows.Nibbles] = -8 * both;
        starts[ActivationRows.SixBits] = -32 * first;
        starts[ActivationRows.SixBits + 1] = -32 * second;
        Vector256<int> packed = Vector256.Narrow(Vector256.Narrow(q0, q1), Vector256.Narrow(q2, q3)).AsInt32();
        if (stride == 4)
        {
            packed.Store((int*)codes);
            return largest;
        }

        Vector128<int> lower = packed.GetLower(), upper = packed.GetUpper();
        *(int*)codes = lower.GetElement(0);
        *(int*)(codes + stride) = lower.GetElement(1);
        *(int*)(codes + (2 * stride)) = lower.GetElement(2);
        *(int*)(codes + (3 * stride)) = lower.GetElement(3);
        *(int*)(codes + (4 * stride)) = upper.GetElement(0);
        *(int*)(codes + (5 * stride)) = upper.GetElement(1);
        *(int*)(codes + (6 * stride)) = upper.GetElement(2);
        *(int*)(codes + (7 * stride)) = upper.GetElement(3);
        return largest;
    }
}
