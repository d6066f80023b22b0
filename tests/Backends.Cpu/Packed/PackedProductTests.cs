using Portable.Backends.Cpu;

namespace Portable.Tests;

[TestFixture]
public sealed unsafe class PackedProductTests
{
    private static readonly int[] OddColumns = [1, 16, 31, 32, 48, 176, 224, 576, 1184];
    private static readonly int[] OddRows = [1, 7, 32, 33, 70];

    private WorkerPool _pool = null!;
    private PackedScratch _scratch = null!;

    public static IEnumerable<string> Tiers => Enum.GetNames<KernelTier>();

    [SetUp]
    public void SetUp()
    {
        _pool = new WorkerPool(2);
        _scratch = new PackedScratch();
    }

    [TearDown]
    public void TearDown()
    {
        _pool.Dispose();
        _scratch.Dispose();
    }

    [Test]
    public void Every_format_equals_a_double_precision_product_of_the_same_rounded_activations(
        [ValueSource(nameof(OddColumns))] int columns, [ValueSource(nameof(OddRows))] int rows, [Values(1, 2, 5)] int m)
    {
        foreach (WeightFormat format in RandomWeights.PackableFormats(columns).Where(f => PackedMatrix.CanPack(f, columns)).Distinct())
        {
            using WeightMatrix matrix = RandomWeights.Create(rows, columns, format, seed: rows + columns, narrow: columns % 3 == 0);
            float[] x = RandomWeights.Activations(m, columns, seed: m);
            float[] y = Multiply(matrix, x, m);
            (double[] expected, double[] magnitude) = RandomWeights.Multiply(RandomWeights.Rounded(x, columns), matrix);
            // Offsets that packing computes (scale * zero point, the shift of unsigned bytes) are rounded to 11 bits.
            double allowed = ExactlyPacked(format, columns % 3 == 0) ? 2e-6 : 6e-4;
            double worst = 0;
            for (int i = 0; i < y.Length; i++)
                worst = Math.Max(worst, Math.Abs(y[i] - expected[i]) / (magnitude[i] + OffsetMagnitude(format, x, columns, i / rows)));
            Assert.That(worst, Is.LessThan(allowed), $"{format} {format.Offset}");
        }
    }

    [Test]
    public void Every_instruction_set_gives_the_bits_of_the_scalar_oracle([ValueSource(nameof(Tiers))] string tier, [Values(1, 3, 4, 9)] int m)
    {
        KernelTier kernels = Supported(tier);
        foreach ((int columns, int rows) in new[] { (16, 33), (48, 1), (224, 70), (576, 32), (1184, 40) })
        {
            float[] x = RandomWeights.Activations(m, columns, seed: 6, outliers: true);
            foreach (WeightFormat format in RandomWeights.PackableFormats(columns).Where(f => PackedMatrix.CanPack(f, columns)).Distinct())
            {
                foreach (bool narrow in new[] { false, true })
                {
                    using WeightMatrix matrix = RandomWeights.Create(rows, columns, format, seed: 5, narrow);
                    Assert.That(
                        Multiply(matrix, x, m, kernels).AsSpan().SequenceEqual(Multiply(matrix, x, m, KernelTier.Scalar)),
                        $"{rows}x{columns} {format} {format.Offset}");
                }
            }
        }
    }

    [Test]
    public void Codes_and_activations_at_their_extremes_do_not_saturate([ValueSource(nameof(Tiers))] string tier, [Values(1, 4)] int m)
    {
        const int Columns = 64, Rows = 32;
        KernelTier kernels = Supported(tier);
        foreach (WeightFormat format in RandomWeights.PackableFormats(Columns).Where(f => PackedMatrix.CanPack(f, Columns)).Distinct())
        {
            foreach (byte code in new byte[] { 0x00, 0xff, 0x80, 0x7f })
            {
                using WeightMatrix matrix = RandomWeights.Create(Rows, Columns, format, seed: 1);
                for (int row = 0; row < Rows; row++)
                    matrix.Codes(row).Fill(code);
                foreach (float sign in new[] { 1f, -1f })
                {
                    float[] x = new float[m * Columns];
                    Array.Fill(x, sign);
                    (double[] expected, double[] magnitude) = RandomWeights.Multiply(RandomWeights.Rounded(x, Columns), matrix);
                    float[] y = Multiply(matrix, x, m, kernels);
                    for (int i = 0; i < y.Length; i++)
                        Assert.That(y[i], Is.EqualTo(expected[i]).Within(6e-4 * (magnitude[i] + OffsetMagnitude(format, x, Columns, 0))), $"{format} {format.Offset} code {code:x2}");
                }
            }
        }
    }

    [Test]
    public void A_row_gives_the_same_bits_alone_and_among_others([ValueSource(nameof(Tiers))] string tier, [Values(2, 3, 5, 130)] int m)
    {
        const int Columns = 608, Rows = 70;
        KernelTier kernels = Supported(tier);
        foreach (WeightFormat format in RandomWeights.PackableFormats(Columns).Where(f => f.GroupSize is 16 or 32 or 64))
        {
            using WeightMatrix matrix = RandomWeights.Create(Rows, Columns, format, seed: 3);
            float[] x = RandomWeights.Activations(m, Columns, seed: 4);
            float[] together = Multiply(matrix, x, m, kernels);
            for (int row = 0; row < m; row += Math.Max(1, m / 5))
            {
                float[] alone = Multiply(matrix, x[(row * Columns)..((row + 1) * Columns)], 1, kernels);
                Assert.That(together[(row * Rows)..((row + 1) * Rows)], Is.EqualTo(alone), $"{format} row {row}");
            }
        }
    }

    [Test]
    public void Any_number_of_threads_gives_the_same_bits([Values(1, 7, 300)] int m, [Values(2, 3, 8)] int threads)
    {
        using WeightMatrix matrix = RandomWeights.Create(300, 576, new(WeightEncoding.UInt4, 32, GroupOffset.Minimum), seed: 3);
        float[] x = RandomWeights.Activations(m, 576, seed: 4);
        using var one = new WorkerPool(1);
        using var many = new WorkerPool(threads);
        Assert.That(Multiply(matrix, x, m, pool: many), Is.EqualTo(Multiply(matrix, x, m, pool: one)));
    }

    [TestCase(false, 0.0060)]
    [TestCase(true, 0.0130)]
    public void The_error_against_float_activations_is_what_rounding_them_by_blocks_costs(bool outliers, double bound)
    {
        const int Columns = 1536, Rows = 96, M = 16;
        foreach (WeightFormat format in new WeightFormat[] { new(WeightEncoding.UInt4, 32, GroupOffset.Minimum), new(WeightEncoding.UInt4, 128, GroupOffset.ZeroPoint), new(WeightEncoding.Int8, 32), new(WeightEncoding.Int8, 16) })
        {
            using WeightMatrix matrix = RandomWeights.Create(Rows, Columns, format, seed: 8);
            float[] x = RandomWeights.Activations(M, Columns, seed: 9, outliers);
            (double[] expected, _) = RandomWeights.Multiply(Array.ConvertAll(x, v => (double)v), matrix);
            double error = RandomWeights.RelativeError(Multiply(matrix, x, M), expected);
            TestContext.Out.WriteLine($"{format}{(outliers ? ", outliers" : "")}: {error:e2}");
            Assert.That(error, Is.LessThan(bound).And.GreaterThan(1e-4), format.ToString());
        }
    }

    [Test]
    public void Stacked_parts_fill_their_own_columns_and_bias_and_old_values_are_added([Values(1, 3)] int m, [Values] bool withBias, [Values] bool accumulate)
    {
        const int Columns = 96, Stride = 96 + 5, YStride = 120;
        WeightFormat[] formats = [new(WeightEncoding.UInt4, 32, GroupOffset.Minimum), new(WeightEncoding.Int8, 16), new(WeightEncoding.UInt4, 96, GroupOffset.ZeroPoint)];
        int[] rows = [33, 5, 64];
        WeightMatrix[] matrices = [.. formats.Select((format, i) => RandomWeights.Create(rows[i], Columns, format, seed: i))];
        PackedMatrix[] parts = [.. matrices.Select(matrix => PackedMatrix.Pack(matrix, _pool))];
        float[] x = RandomWeights.Activations(m, Stride, seed: 1), bias = RandomWeights.Activations(1, 102, seed: 2), y = RandomWeights.Activations(m, YStride, seed: 3);
        float[] expected = [.. y];
        for (int row = 0; row < m; row++)
        {
            int column = 0;
            foreach (WeightMatrix matrix in matrices)
            {
                foreach (float value in Multiply(matrix, x[(row * Stride)..((row * Stride) + Columns)], 1))
                {
                    float sum = value;
                    if (withBias)
                        sum += bias[column];
                    if (accumulate)
                        sum += y[(row * YStride) + column];
                    expected[(row * YStride) + column++] = sum;
                }
            }
        }

        fixed (float* px = x, py = y, pb = bias)
            PackedProduct.Multiply(parts, px, Stride, m, py, YStride, withBias ? pb : null, accumulate, _pool, _scratch);
        Assert.That(y, Is.EqualTo(expected));
        foreach (IDisposable one in matrices.Concat<IDisposable>(parts))
            one.Dispose();
    }

    [Test]
    public void The_unit_of_activations_and_of_weights_does_not_matter([Values(1e-25f, 1e-6f, 1e6f, 1e20f)] float xUnit, [Values(1e-12f, 1f, 1e9f)] float weightUnit)
    {
        const int Columns = 128, Rows = 40;
        using WeightMatrix matrix = RandomWeights.Create(Rows, Columns, new(WeightEncoding.Int8, 32), seed: 1);
        for (int row = 0; row < Rows; row++)
        {
            foreach (ref float scale in matrix.Scales(row))
                scale *= weightUnit;
        }

        float[] x = RandomWeights.Activations(1, Columns, seed: 2);
        for (int i = 0; i < x.Length; i++)
            x[i] *= xUnit;
        (double[] expected, _) = RandomWeights.Multiply(RandomWeights.Rounded(x, Columns), matrix);
        Assert.That(RandomWeights.RelativeError(Multiply(matrix, x, 1), expected), Is.LessThan(5e-4));
    }

    [Test]
    public void Zeros_give_zero_and_what_is_not_a_number_stays_visible([Values(1, 4)] int m)
    {
        using WeightMatrix matrix = RandomWeights.Create(33, 96, new(WeightEncoding.UInt4, 32, GroupOffset.Minimum), seed: 1);
        Assert.That(Multiply(matrix, new float[m * 96], m), Is.All.Zero);
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity })
        {
            float[] x = RandomWeights.Activations(m, 96, seed: 2);
            x[40] = bad;
            float[] y = Multiply(matrix, x, m);
            Assert.That(y[..33], Is.All.NaN);
            Assert.That(y[33..], Is.All.Not.NaN);
        }
    }

    [Test]
    public void Nothing_is_allocated_once_warm([Values(1, 4, 200)] int m)
    {
        using WeightMatrix matrix = RandomWeights.Create(320, 576, new(WeightEncoding.UInt4, 32, GroupOffset.Minimum), seed: 3);
        using PackedMatrix packed = PackedMatrix.Pack(matrix, _pool);
        PackedMatrix[] parts = [packed, packed];
        float[] x = RandomWeights.Activations(m, 576, seed: 4), y = new float[m * 640];
        fixed (float* px = x, py = y)
        {
            for (int i = 0; i < 5; i++)
                PackedProduct.Multiply(parts, px, 576, m, py, 640, null, false, _pool, _scratch);
            long managed = GC.GetAllocatedBytesForCurrentThread(), native = _scratch.Bytes;
            for (int i = 0; i < 20; i++)
                PackedProduct.Multiply(parts, px, 576, m, py, 640, null, false, _pool, _scratch);
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - managed, Is.Zero);
            Assert.That(_scratch.Bytes, Is.EqualTo(native));
        }
    }

    [Test]
    public void Parts_of_different_columns_are_refused()
    {
        using WeightMatrix a = RandomWeights.Create(8, 64, new(WeightEncoding.Int8, 32), 1), b = RandomWeights.Create(8, 96, new(WeightEncoding.Int8, 32), 1);
        using PackedMatrix first = PackedMatrix.Pack(a, _pool), second = PackedMatrix.Pack(b, _pool);
        PackedMatrix[] parts = [first, second];
        Assert.That(() => PackedProduct.Multiply(parts, null, 0, 1, null, 0, null, false, _pool, _scratch), Throws.ArgumentException);
    }

    private static bool ExactlyPacked(WeightFormat format, bool narrow) => format.Offset switch
    {
        GroupOffset.Minimum => format.Encoding != WeightEncoding.UInt8,
        GroupOffset.ZeroPoint => narrow && format.Encoding != WeightEncoding.Int8,
        _ => format.Encoding != WeightEncoding.UInt8,
    };

    // What codes without their offset sum up to: rounding errors scale with it where the two cancel.
    private static double OffsetMagnitude(WeightFormat format, float[] x, int columns, int row)
    {
        double sum = 0;
        for (int k = 0; k < columns; k++)
            sum += Math.Abs(x[(row * columns) + k]);
        return sum * 0.015 * (format.Encoding == WeightEncoding.UInt4 ? 15 : 255);
    }

    private static KernelTier Supported(string tier)
    {
        KernelTier parsed = Enum.Parse<KernelTier>(tier);
        if (!PackedKernels.IsSupported(parsed))
            Assert.Ignore($"not supported by this machine: {tier}");
        return parsed;
    }

    private float[] Multiply(WeightMatrix matrix, float[] x, int m, KernelTier? tier = null, WorkerPool? pool = null)
    {
        using PackedMatrix packed = PackedMatrix.Pack(matrix, _pool);
        PackedMatrix[] parts = [packed];
        float[] y = new float[m * matrix.Rows];
        fixed (float* px = x, py = y)
            PackedProduct.Multiply(tier, parts, px, matrix.Columns, m, py, matrix.Rows, null, false, pool ?? _pool, _scratch);
        return y;
    }
}
