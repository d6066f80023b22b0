using Portable.Backends.Cpu;

namespace Portable.Tests;

/// <summary>A copied matrix means, bit for bit, what the canonical matrix means.</summary>
public sealed unsafe class DequantizeKernelTests
{
    [TestCaseSource(typeof(Values), nameof(Values.Formats))]
    public void Every_format_is_evaluated_exactly_in_rows_of_any_length(WeightFormat format)
    {
        foreach (int columns in (int[])[1, 2, 31, 32, 33, 100, 512, 515, 1100])
        {
            using WeightMatrix matrix = Values.Matrix(columns, 3, columns, format);
            using var copy = CanonicalMatrix.Copy(matrix);
            Check(matrix, copy);
        }
    }

    [Test]
    public void A_group_index_is_honoured()
    {
        using WeightMatrix matrix = Values.Matrix(3, 5, 96, new(WeightEncoding.UInt4, 32, GroupOffset.ZeroPoint), groupIndex: true);
        using var copy = CanonicalMatrix.Copy(matrix);
        Check(matrix, copy);
    }

    [Test]
    public void A_group_index_outside_the_groups_is_refused()
    {
        using WeightMatrix matrix = WeightMatrix.Allocate("w", 1, 2, new(WeightEncoding.Int8, 2), null, [0, 1]);
        Assert.That(() => CanonicalMatrix.Copy(matrix), Throws.TypeOf<InvalidModelException>().With.Message.Contains("found 1"));
    }

    private static void Check(WeightMatrix matrix, CanonicalMatrix copy)
    {
        var expected = new float[matrix.Columns];
        using var actual = new GuardedMemory(matrix.Columns * sizeof(float));
        for (int r = 0; r < matrix.Rows; r++)
        {
            matrix.DequantizeRow(r, expected);
            copy.ReadRow(r, actual.Floats);
            Values.AssertClose(actual.As<float>(), expected, 0, 0, $"{matrix.Format} row {r}");
        }
    }
}
