namespace Portable.Tests;

/// <summary>Seeded matrices and activations of the shapes the packed kernels meet.</summary>
internal static class RandomWeights
{
    /// <summary>Every format that can be packed, with its name for test cases.</summary>
    public static IEnumerable<WeightFormat> PackableFormats(int columns)
    {
        foreach (int group in new[] { 32, 64, 128, columns })
        {
            foreach (GroupOffset offset in Enum.GetValues<GroupOffset>())
            {
                yield return new(WeightEncoding.UInt4, group, offset);
                yield return new(WeightEncoding.UInt8, group, offset);
                yield return new(WeightEncoding.Int8, group, offset);
            }

            yield return new(WeightEncoding.Codebook4, group);
        }

        yield return new(WeightEncoding.Int8, 16);
        yield return new(WeightEncoding.Codebook4, 16);
    }

    /// <summary>
    /// Codes over their whole range, scales of either sign, offsets that centre the codes roughly; or, narrow, one zero point
    /// and 8-bit codes that fit 6 bits, which are packed in less.
    /// </summary>
    public static WeightMatrix Create(int rows, int columns, WeightFormat format, int seed, bool narrow = false)
    {
        var random = new Random(seed);
        // Of halves, as that of 4-bit floats.
        float[]? codebook = format.Encoding == WeightEncoding.Codebook4 ? [.. Enumerable.Range(0, 16).Select(i => (i - 7) * (i % 3 == 0 ? 0.5f : 2))] : null;
        WeightMatrix matrix = WeightMatrix.Allocate("test", rows, columns, format, codebook);
        float middle = format.Encoding switch { WeightEncoding.UInt4 => 8, WeightEncoding.UInt8 => 128, _ => 0 };
        for (int row = 0; row < rows; row++)
        {
            random.NextBytes(matrix.Codes(row));
            if (narrow && format.Bits == 8)
            {
                foreach (ref byte code in matrix.Codes(row))
                    code = (byte)((code % 64) - 32 + (int)middle);
            }

            Span<float> scales = matrix.Scales(row), minimums = matrix.Minimums(row);
            Span<byte> zeros = matrix.ZeroPoints(row);
            for (int group = 0; group < scales.Length; group++)
            {
                // Scales as checkpoints hold them, in binary16: packing keeps them exactly.
                scales[group] = (float)(Half)((0.5f + random.NextSingle()) * 0.01f * (random.Next(4) == 0 ? -1 : 1));
                if (!minimums.IsEmpty)
                    minimums[group] = (float)(Half)(-scales[group] * middle * (0.8f + (0.4f * random.NextSingle())));
                if (!zeros.IsEmpty)
                    zeros[group] = (byte)(middle + (narrow ? 0 : random.Next(0, 7)));
            }
        }

        return matrix;
    }

    /// <summary>Gaussian activations; with outliers, 0.4 % of the channels are 30 times larger.</summary>
    public static float[] Activations(int rows, int columns, int seed, bool outliers = false)
    {
        var random = new Random(seed);
        var channels = new float[columns];
        for (int k = 0; k < columns; k++)
            channels[k] = outliers && random.NextDouble() < 0.004 ? 30 : 1;
        var x = new float[rows * columns];
        for (int i = 0; i < x.Length; i++)
        {
            double u = 1 - random.NextDouble(), v = random.NextDouble();
            x[i] = (float)(Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v)) * channels[i % columns];
        }

        return x;
    }

    /// <summary>Activations as the fast mode sees them: rounded to 8 bits by blocks of 32, then scaled back, in double.</summary>
    public static double[] Rounded(ReadOnlySpan<float> x, int columns)
    {
        var rounded = new double[x.Length];
        for (int start = 0; start < x.Length; start += columns)
        {
            for (int k = 0; k < columns; k += 32)
            {
                ReadOnlySpan<float> block = x.Slice(start + k, Math.Min(32, columns - k));
                float maximum = 0;
                foreach (float value in block)
                    maximum = Math.Max(maximum, Math.Abs(value));
                for (int i = 0; i < block.Length; i++)
                    rounded[start + k + i] = maximum == 0 ? 0 : Math.Round(block[i] * (127 / maximum), MidpointRounding.ToEven) * (double)(maximum / 127);
            }
        }

        return rounded;
    }

    /// <summary>x W^T in double, and the sum of magnitudes that its rounding error scales with.</summary>
    public static (double[] Product, double[] Magnitude) Multiply(double[] x, WeightMatrix matrix)
    {
        int m = x.Length / matrix.Columns;
        var product = new double[m * matrix.Rows];
        var magnitude = new double[m * matrix.Rows];
        var weights = new float[matrix.Columns];
        for (int row = 0; row < matrix.Rows; row++)
        {
            matrix.DequantizeRow(row, weights);
            for (int i = 0; i < m; i++)
            {
                double sum = 0, absolute = 0;
                for (int k = 0; k < weights.Length; k++)
                {
                    double term = x[(i * weights.Length) + k] * weights[k];
                    sum += term;
                    absolute += Math.Abs(term);
                }

                product[(i * matrix.Rows) + row] = sum;
                magnitude[(i * matrix.Rows) + row] = absolute;
            }
        }

        return (product, magnitude);
    }

    /// <summary>Root mean square of a difference over the root mean square of the expected values.</summary>
    public static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected)
    {
        double error = 0, norm = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            error += Math.Pow(actual[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        return Math.Sqrt(error / norm);
    }
}
