namespace Portable.Tests;

/// <summary>The float32 product against canonical weights.</summary>
public sealed class LinearTests
{
    [TestCaseSource(typeof(Values), nameof(Values.Formats))]
    public void A_product_matches_the_float64_sum_for_every_format(WeightFormat format)
    {
        foreach ((int m, int n, int k) in ((int, int, int)[])[(1, 1, 1), (1, 17, 100), (2, 9, 33), (3, 8, 512), (7, 21, 1100), (50, 13, 600)])
        {
            using var device = new TestDevice();
            using WeightMatrix matrix = Values.Matrix(n, n, k, format);
            CheckProduct(device, m, matrix, accumulate: m % 2 == 1, hasBias: m != 2);
        }
    }

    [Test]
    public void More_rows_than_one_pass_holds_are_multiplied()
    {
        using var device = new TestDevice();
        using WeightMatrix matrix = Values.Matrix(1, 5, 40, new(WeightEncoding.Float32));
        CheckProduct(device, 1600, matrix, accumulate: true, hasBias: true);
    }

    [Test]
    public void Stacked_parts_of_different_formats_write_their_own_columns()
    {
        using var device = new TestDevice();
        using WeightMatrix a = Values.Matrix(1, 12, 64, new(WeightEncoding.UInt4, 32, GroupOffset.Minimum));
        using WeightMatrix b = Values.Matrix(2, 5, 64, new(WeightEncoding.BFloat16));
        TensorView x = device.Normal(3, 4, 64), both = device.Empty(4, 17), first = device.Empty(4, 12), second = device.Empty(4, 5);
        device.Stream.Linear(x, device.Weight(WeightStacking.Outputs, a, b), both);
        device.Stream.Linear(x, device.Weight(WeightStacking.Outputs, a), first);
        device.Stream.Linear(x, device.Weight(WeightStacking.Outputs, b), second);
        Assert.That(device.Read(both.SliceColumns(0, 12)), Is.EqualTo(device.Read(first)));
        Assert.That(device.Read(both.SliceColumns(12, 5)), Is.EqualTo(device.Read(second)));
    }

    [TestCaseSource(typeof(Values), nameof(Values.Formats))]
    public void The_fast_mode_stays_within_two_percent_of_the_reference_and_reads_the_same_rows(WeightFormat format)
    {
        using WeightMatrix a = Values.Matrix(1, 70, 256, format), b = Values.Matrix(2, 33, 256, format), c = Values.Matrix(3, 4, 256, new(WeightEncoding.Float16));
        float[][] products = new float[2][], rows = new float[2][];
        foreach (NumericMode numerics in Enum.GetValues<NumericMode>())
        {
            using var device = new TestDevice(2, numerics);
            DeviceWeight weight = device.Weight(WeightStacking.Outputs, a, b, c);
            TensorView y = device.Normal(5, 9, 107), row = device.Empty(107, 256);
            device.Stream.Linear(device.Normal(4, 9, 256), weight, y, device.Normal(6, 1, 107), accumulate: true);
            device.Stream.Embed(device.Ints([.. Enumerable.Range(0, 107)]), weight, row);
            products[(int)numerics] = device.Read(y);
            rows[(int)numerics] = device.Read(row);
        }

        Assert.That(RelativeError(products[0], products[1]), Is.LessThan(0.02));
        Assert.That(RelativeError(rows[0], rows[1]), Is.LessThan(5e-4));
        if (format.IsPlain)
            Assert.That(products[0], Is.EqualTo(products[1]));
    }

    [Test]
    public void Experts_take_their_own_rows_and_none_where_they_have_none()
    {
        using var device = new TestDevice();
        WeightMatrix[] experts = [.. Enumerable.Range(0, 4).Select(e => Values.Matrix(e, 6, 32, new(WeightEncoding.Int8, 32)))];
        TensorView x = device.Normal(3, 9, 32), y = device.Empty(9, 6);
        device.Stream.Linear(x, device.Weight(WeightStacking.Experts, experts), y, experts: new(device.Ints(0, 4, 4, 5, 9)));
        int[] starts = [0, 4, 4, 5, 9];
        for (int e = 0; e < 4; e++)
        {
            int count = starts[e + 1] - starts[e];
            if (count == 0)
                continue;
            TensorView alone = device.Empty(count, 6);
            device.Stream.Linear(x.SliceRows(starts[e], count), device.Weight(WeightStacking.Outputs, experts[e]), alone);
            Assert.That(device.Read(y.SliceRows(starts[e], count)), Is.EqualTo(device.Read(alone)));
        }

        Array.ForEach(experts, e => e.Dispose());
    }

    [Test]
    public void A_row_has_the_same_bits_alone_and_among_others_and_with_any_number_of_threads()
    {
        using WeightMatrix matrix = Values.Matrix(1, 300, 1100, new(WeightEncoding.UInt4, 32, GroupOffset.Minimum));
        float[]? expected = null;
        foreach (int threads in (int[])[1, 2, 3])
        {
            using var device = new TestDevice(threads);
            DeviceWeight weight = device.Weight(WeightStacking.Outputs, matrix);
            TensorView x = device.Normal(9, 40, 1100), y = device.Empty(40, 300), one = device.Empty(1, 300);
            device.Stream.Linear(x, weight, y);
            device.Stream.Linear(x.SliceRows(20, 1), weight, one);
            float[] found = device.Read(y);
            Assert.That(found, Is.EqualTo(expected ??= found), $"{threads} threads");
            Assert.That(device.Read(one), Is.EqualTo(found[6000..6300]));
        }
    }

    [Test]
    public void Embedding_reads_the_rows_of_stacked_tables_and_refuses_an_id_outside()
    {
        using var device = new TestDevice();
        using WeightMatrix a = Values.Matrix(1, 10, 70, new(WeightEncoding.UInt4, 32));
        using WeightMatrix b = Values.Matrix(2, 4, 70, new(WeightEncoding.Float16));
        DeviceWeight table = device.Weight(WeightStacking.Outputs, a, b);
        TensorView output = device.Empty(3, 70);
        device.Stream.Embed(device.Ints(13, 0, 9), table, output, 2);
        var row = new float[70];
        b.DequantizeRow(3, row);
        Assert.That(device.Read(output.SliceRows(0, 1)), Is.EqualTo(row.Select(v => v * 2)));
        a.DequantizeRow(9, row);
        Assert.That(device.Read(output.SliceRows(2, 1)), Is.EqualTo(row.Select(v => v * 2)));
        Assert.That(() => device.Stream.Embed(device.Ints(1, 14, 0), table, output), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("14"));
        Assert.That(() => device.Stream.Embed(device.Ints(1, -1, 0), table, output), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private static double RelativeError(float[] actual, float[] expected) => Math.Sqrt(
        actual.Zip(expected, (a, e) => ((double)a - e) * (a - e)).Sum() / expected.Sum(e => (double)e * e));

    private static void CheckProduct(TestDevice device, int m, WeightMatrix matrix, bool accumulate, bool hasBias)
    {
        int n = matrix.Rows, k = matrix.Columns;
        float[] x = Values.Normal(m, m * k), start = Values.Normal(m + 1, m * n), bias = Values.Normal(m + 2, n), row = new float[k];
        TensorView y = device.Floats(m, n, start);
        device.Stream.Linear(
            device.Floats(m, k, x), device.Weight(WeightStacking.Outputs, matrix), y, hasBias ? device.Floats(1, n, bias) : null, accumulate);
        float[] actual = device.Read(y);
        for (int j = 0; j < n; j++)
        {
            matrix.DequantizeRow(j, row);
            for (int t = 0; t < m; t++)
            {
                double sum = (accumulate ? start[(t * n) + j] : 0) + (hasBias ? bias[j] : 0), magnitude = 1;
                for (int i = 0; i < k; i++)
                {
                    sum += (double)x[(t * k) + i] * row[i];
                    magnitude += Math.Abs((double)x[(t * k) + i] * row[i]);
                }

                if (!(Math.Abs(actual[(t * n) + j] - sum) <= 3e-7 * magnitude))
                    Assert.Fail($"{matrix.Format} [{m}, {n}, {k}] at {t}, {j}: expected {sum}, found {actual[(t * n) + j]}");
            }
        }
    }
}
