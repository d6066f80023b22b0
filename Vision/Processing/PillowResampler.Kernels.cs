using System.Runtime.Intrinsics;

namespace Portable.Vision.Processing;

internal static partial class PillowResampler
{
    private const int Half = 1 << (ResampleCoefficients.PrecisionBits - 1);

    /// <summary>
    /// result[i] = clamp((2^21 + sum over k of weights[k] * source[k * stride + i]) >> 22). The sum fits 32 bits:
    /// the weights of an output add up to 2^22, and 22 bits leave room for the negative lobes.
    /// </summary>
    private static unsafe void WeightedSum(
        Span<byte> result, ReadOnlySpan<byte> source, int stride, ReadOnlySpan<int> weights, ResampleKernel kernel)
    {
        int length = result.Length;
        if (weights.Length == 0)
        {
            result.Clear();
            return;
        }

        // The kernels read without bounds checks.
        if (source.Length < (long)(weights.Length - 1) * stride + length)
            throw new InvalidOperationException("A tap lies outside the image.");
        if (length < Vector128<byte>.Count || kernel == ResampleKernel.Scalar)
        {
            WeightedSumScalar(result, source, stride, weights);
            return;
        }

        fixed (byte* to = result, from = source)
        fixed (int* taps = weights)
        {
            // The last vector overlaps the one before it, so that no scalar tail is left.
            int last = length - Vector128<byte>.Count;
            switch (kernel)
            {
                case ResampleKernel.Vector512:
                    for (int i = 0; i < length; i += Vector128<byte>.Count)
                        WeightedSum512(to + Math.Min(i, last), from + Math.Min(i, last), stride, taps, weights.Length);
                    break;
                case ResampleKernel.Vector256:
                    for (int i = 0; i < length; i += Vector128<byte>.Count)
                        WeightedSum256(to + Math.Min(i, last), from + Math.Min(i, last), stride, taps, weights.Length);
                    break;
                default:
                    for (int i = 0; i < length; i += Vector128<byte>.Count)
                        WeightedSum128(to + Math.Min(i, last), from + Math.Min(i, last), stride, taps, weights.Length);
                    break;
            }
        }
    }

    private static void WeightedSumScalar(Span<byte> result, ReadOnlySpan<byte> source, int stride, ReadOnlySpan<int> weights)
    {
        for (int i = 0; i < result.Length; i++)
        {
            int sum = Half;
            for (int k = 0; k < weights.Length; k++)
                sum += source[k * stride + i] * weights[k];
            result[i] = Clamp(sum);
        }
    }

    private static byte Clamp(int sum) => (byte)Math.Clamp(sum >> ResampleCoefficients.PrecisionBits, 0, 255);

    private static unsafe void WeightedSum512(byte* to, byte* from, nint stride, int* weights, int taps)
    {
        Vector512<int> sum = Vector512.Create(Half);
        for (int k = 0; k < taps; k++, from += stride)
        {
            Vector256<ushort> wide = Vector256.WidenLower(Vector128.Load(from).ToVector256Unsafe());
            sum += Vector512.WidenLower(wide.ToVector512Unsafe()).AsInt32() * Vector512.Create(weights[k]);
        }

        Vector512<int> value = Vector512.Clamp(sum >> ResampleCoefficients.PrecisionBits, Vector512<int>.Zero, Vector512.Create(255));
        Vector256<ushort> words = Vector256.Narrow(value.GetLower().AsUInt32(), value.GetUpper().AsUInt32());
        Vector128.Narrow(words.GetLower(), words.GetUpper()).Store(to);
    }

    private static unsafe void WeightedSum256(byte* to, byte* from, nint stride, int* weights, int taps)
    {
        Vector256<int> sum0 = Vector256.Create(Half), sum1 = sum0;
        for (int k = 0; k < taps; k++, from += stride)
        {
            Vector256<int> weight = Vector256.Create(weights[k]);
            Vector256<ushort> wide = Vector256.WidenLower(Vector128.Load(from).ToVector256Unsafe());
            sum0 += Vector256.WidenLower(wide).AsInt32() * weight;
            sum1 += Vector256.WidenUpper(wide).AsInt32() * weight;
        }

        Vector256<int> most = Vector256.Create(255);
        sum0 = Vector256.Clamp(sum0 >> ResampleCoefficients.PrecisionBits, Vector256<int>.Zero, most);
        sum1 = Vector256.Clamp(sum1 >> ResampleCoefficients.PrecisionBits, Vector256<int>.Zero, most);
        Vector256<ushort> words = Vector256.Narrow(sum0.AsUInt32(), sum1.AsUInt32());
        Vector128.Narrow(words.GetLower(), words.GetUpper()).Store(to);
    }

    private static unsafe void WeightedSum128(byte* to, byte* from, nint stride, int* weights, int taps)
    {
        Vector128<int> sum0 = Vector128.Create(Half), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        for (int k = 0; k < taps; k++, from += stride)
        {
            Vector128<int> weight = Vector128.Create(weights[k]);
            (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.Load(from));
            sum0 += Vector128.WidenLower(low).AsInt32() * weight;
            sum1 += Vector128.WidenUpper(low).AsInt32() * weight;
            sum2 += Vector128.WidenLower(high).AsInt32() * weight;
            sum3 += Vector128.WidenUpper(high).AsInt32() * weight;
        }

        Vector128<ushort> words0 = Vector128.Narrow(Clamped(sum0), Clamped(sum1));
        Vector128<ushort> words1 = Vector128.Narrow(Clamped(sum2), Clamped(sum3));
        Vector128.Narrow(words0, words1).Store(to);

        static Vector128<uint> Clamped(Vector128<int> sum) => Vector128.Clamp(
            sum >> ResampleCoefficients.PrecisionBits, Vector128<int>.Zero, Vector128.Create(255)).AsUInt32();
    }
}
