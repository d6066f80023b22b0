using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Portable.Quantization;

/// <summary>
/// One matrix in AutoAWQ's GEMM layout: <c>qweight</c> int32 [K, N/8], <c>qzeros</c> int32 [K/group, N/8], <c>scales</c> float16 [K/group, N];
/// columns n = 8c … 8c + 7 lie in the nibbles 0, 4, 1, 5, 2, 6, 3, 7 of word c (AutoAWQ, packing_utils.py: order 0, 2, 4, 6, 1, 3, 5, 7).
/// </summary>
internal sealed class AwqModule(string file, string module, int outputs, int inputs, int groupSize)
{
    public const int CodesPerWord = 8;

    // The column of each nibble, from the lowest.
    private static ReadOnlySpan<byte> ColumnOfNibble => [0, 2, 4, 6, 1, 3, 5, 7];

    private readonly uint[] _codes = new uint[(long)inputs * outputs / CodesPerWord];
    private readonly uint[] _zeros = new uint[(long)(inputs / groupSize) * outputs / CodesPerWord];
    private readonly Half[] _scales = new Half[(long)(inputs / groupSize) * outputs];

    /// <summary>Quantises the rows of a matrix, which are its outputs, on all cores.</summary>
    public void Fill(WeightMatrix matrix, IMatrixQuantizer quantizer, CancellationToken cancellation)
    {
        int words = outputs / CodesPerWord, groups = inputs / groupSize;
        var options = new ParallelOptions { CancellationToken = cancellation };
        // A word holds eight rows' codes, so that whole words are one thread's.
        Spread(words, options, word =>
        {
            float[] row = new float[inputs];
            byte[] codes = new byte[inputs], zeros = new byte[groups];
            Half[] scales = new Half[groups];
            for (int nibble = 0; nibble < CodesPerWord; nibble++)
            {
                int n = (word * CodesPerWord) + ColumnOfNibble[nibble];
                matrix.DequantizeRow(n, row);
                if (row.AsSpan().ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
                    throw new InvalidModelException(file, module, $"row {n} holds a weight that is not finite");
                quantizer.Quantize(row, groupSize, codes, scales, zeros);
                int shift = 4 * nibble;
                for (int k = 0; k < inputs; k++)
                    _codes[((long)k * words) + word] |= (uint)codes[k] << shift;
                for (int g = 0; g < groups; g++)
                {
                    _zeros[((long)g * words) + word] |= (uint)zeros[g] << shift;
                    _scales[((long)g * outputs) + n] = scales[g];
                }
            }
        });
    }

    // One core's error is told as it was thrown, not as one of several.
    private static void Spread(int count, ParallelOptions options, Action<int> body)
    {
        try
        {
            Parallel.For(0, count, options, body);
        }
        catch (AggregateException error)
        {
            ExceptionDispatchInfo.Throw(error.Flatten().InnerExceptions[0]);
        }
    }

    public void WriteCodes(Stream stream) => Write<uint>(stream, _codes);

    public void WriteZeros(Stream stream) => Write<uint>(stream, _zeros);

    public void WriteScales(Stream stream) => Write<Half>(stream, _scales);

    private static void Write<T>(Stream stream, T[] values)
        where T : unmanaged
    {
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("safetensors files are written on little-endian machines");
        stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
    }
}
