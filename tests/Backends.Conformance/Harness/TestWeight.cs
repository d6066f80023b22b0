namespace Portable.Conformance;

/// <summary>
/// A canonical matrix with random codes, and its values worked out here from the meaning of its format, in double
/// precision.
/// </summary>
public sealed class TestWeight : IDisposable
{
    private TestWeight(WeightMatrix matrix)
    {
        Matrix = matrix;
        Values = new double[matrix.Rows][];
        PackingError = new double[matrix.Rows][];
    }

    /// <summary>The matrix.</summary>
    public WeightMatrix Matrix { get; }

    /// <summary>The value of each weight.</summary>
    public double[][] Values { get; }

    /// <summary>
    /// What a device may change each weight by when it packs it for its fast mode: scale, minimum and zero point held as
    /// float16 (2^-11 of each term), and float or codebook codes rounded to 8 bits of their group's largest.
    /// </summary>
    public double[][] PackingError { get; }

    /// <summary>Makes a matrix.</summary>
    /// <param name="random">Where codes come from.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="format">Its format.</param>
    /// <param name="isExactlyPlain">Whether plain weights need all bits of float32; else they are the same in any plain type.</param>
    /// <param name="hasGroupIndex">Whether groups are given per column.</param>
    /// <param name="code">The code at a place; null for random ones.</param>
    public static TestWeight Create(
        Random random, int rows, int columns, WeightFormat format, bool isExactlyPlain = false, bool hasGroupIndex = false, Func<int, int>? code = null)
    {
        float[]? codebook = format.Encoding == WeightEncoding.Codebook4 ? [.. Enumerable.Range(0, 16).Select(i => (float)Math.Sinh((i - 7.3) / 4))] : null;
        int[]? index = hasGroupIndex ? Permuted(random, columns, format.GroupSize) : null;
        var weight = new TestWeight(WeightMatrix.Allocate("w", rows, columns, format, codebook, index));
        for (int n = 0; n < rows; n++)
        {
            weight.Values[n] = new double[columns];
            weight.PackingError[n] = new double[columns];
            if (format.IsPlain)
                weight.FillPlain(random, n, isExactlyPlain);
            else
                weight.FillCoded(random, n, codebook, index, code);
        }

        return weight;
    }

    /// <summary>The format and shape.</summary>
    public string Describe() => $"{Matrix.Format}{(Matrix.Format.Offset == GroupOffset.None ? "" : " " + Matrix.Format.Offset)} [{Matrix.Rows}, {Matrix.Columns}]";

    /// <inheritdoc/>
    public void Dispose() => Matrix.Dispose();

    private static int[] Permuted(Random random, int columns, int groupSize)
    {
        int[] index = [.. Enumerable.Range(0, columns).Select(k => k / groupSize)];
        random.Shuffle(index);
        return index;
    }

    private void FillPlain(Random random, int row, bool isExactlyPlain)
    {
        ElementType type = Matrix.Format.Encoding switch
        {
            WeightEncoding.Float32 => ElementType.Float32,
            WeightEncoding.Float16 => ElementType.Float16,
            _ => ElementType.BFloat16,
        };
        for (int k = 0; k < Matrix.Columns; k++)
        {
            double value = isExactlyPlain ? Numbers.Round((random.NextDouble() * 2) - 1, type) : random.Next(-127, 128) / 128.0;
            Values[row][k] = value;
            Numbers.Set(Matrix.Codes(row)[(k * type.Size())..], type, value);
        }
    }

    private void FillCoded(Random random, int row, float[]? codebook, int[]? index, Func<int, int>? code)
    {
        WeightFormat format = Matrix.Format;
        Span<byte> codes = Matrix.Codes(row), zeroPoints = Matrix.ZeroPoints(row);
        Span<float> scales = Matrix.Scales(row), minimums = Matrix.Minimums(row);
        int limit = format.Bits == 4 ? 16 : 256;
        double unit = format.Encoding == WeightEncoding.Codebook4 ? 4 : format.Encoding == WeightEncoding.Float8E4M3 ? 256 : limit;
        for (int g = 0; g < Matrix.Groups; g++)
        {
            scales[g] = (float)((0.5 + random.NextDouble()) * (random.Next(2) == 0 ? -2 : 2) / unit);
            if (format.Offset == GroupOffset.ZeroPoint)
                zeroPoints[g] = (byte)random.Next(limit);
            if (format.Offset == GroupOffset.Minimum)
                minimums[g] = (float)(random.NextDouble() - 0.5);
        }

        codes.Clear();
        double[] largest = new double[Matrix.Groups];
        for (int k = 0; k < Matrix.Columns; k++)
        {
            int q = code is null ? random.Next(limit) : code(k);
            if (format.Encoding == WeightEncoding.Float8E4M3 && (q & 0x7F) == 0x7F)
                q = 0x7E;
            if (format.Bits == 4)
                codes[k / 2] |= (byte)(k % 2 == 0 ? q : q << 4);
            else
                codes[k] = (byte)q;
            int g = index is null ? k / format.GroupSize : index[k];
            double element = format.Encoding switch
            {
                WeightEncoding.Codebook4 => codebook![q],
                WeightEncoding.Int8 => (sbyte)q,
                WeightEncoding.Float8E4M3 => E4M3(q),
                _ => q,
            };
            double offset = format.Offset switch
            {
                GroupOffset.ZeroPoint => -(double)scales[g] * zeroPoints[g],
                GroupOffset.Minimum => minimums[g],
                _ => 0,
            };
            Values[row][k] = (scales[g] * element) + offset;
            PackingError[row][k] = (Math.Abs(scales[g] * element) + Math.Abs(offset)) / 2048;
            largest[g] = Math.Max(largest[g], Math.Abs(scales[g] * element));
        }

        if (format.Encoding is not (WeightEncoding.Codebook4 or WeightEncoding.Float8E4M3))
            return;
        for (int k = 0; k < Matrix.Columns; k++)
            PackingError[row][k] += largest[index is null ? k / format.GroupSize : index[k]] / 254;
    }

    // OCP OFP8 E4M3: bias 7, subnormals of 2^-9.
    private static double E4M3(int bits)
    {
        int exponent = (bits >> 3) & 15, mantissa = bits & 7;
        double magnitude = exponent == 0 ? mantissa * Math.Pow(2, -9) : (1 + (mantissa / 8.0)) * Math.Pow(2, exponent - 7);
        return (bits & 0x80) == 0 ? magnitude : -magnitude;
    }
}
