using Portable.Backends.Cpu;

namespace Portable.Tests;

[TestFixture]
public sealed unsafe class PackedMatrixTests
{
    private static readonly WorkerPool Pool = new(2);

    [OneTimeTearDown]
    public void TearDown() => Pool.Dispose();

    [TestCase(WeightEncoding.Float32, 0, false)]
    [TestCase(WeightEncoding.BFloat16, 0, false)]
    [TestCase(WeightEncoding.Codebook4, 32, true)]
    [TestCase(WeightEncoding.Codebook4, 16, true)]
    [TestCase(WeightEncoding.Float8E4M3, 128, false)]
    [TestCase(WeightEncoding.UInt4, 16, false)]
    [TestCase(WeightEncoding.UInt4, 48, false)]
    [TestCase(WeightEncoding.UInt4, 32, true)]
    [TestCase(WeightEncoding.UInt4, 576, true)]
    [TestCase(WeightEncoding.Int8, 16, true)]
    [TestCase(WeightEncoding.Int8, 24, false)]
    [TestCase(WeightEncoding.UInt8, 16, false)]
    [TestCase(WeightEncoding.UInt8, 128, true)]
    public void Only_integer_codes_in_groups_of_whole_blocks_or_signed_halves_can_be_packed(WeightEncoding encoding, int groupSize, bool expected) =>
        Assert.That(PackedMatrix.CanPack(new(encoding, groupSize), 576), Is.EqualTo(expected));

    [Test]
    public void A_matrix_in_act_order_is_refused_with_a_typed_error()
    {
        using WeightMatrix matrix = WeightMatrix.Allocate("q_proj", 4, 64, new(WeightEncoding.UInt4, 32), groupIndex: new int[64]);
        Assert.That(PackedMatrix.CanPack(matrix), Is.False);
        Assert.That(() => PackedMatrix.Pack(matrix, Pool), Throws.TypeOf<UnsupportedException>().With.Message.Contains("q_proj"));
    }

    [Test]
    public void A_codebook_packs_as_signed_bytes_where_it_is_of_integers_or_of_their_halves()
    {
        float[] halves = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6];
        Assert.That(PackedMatrix.IntegerCodebook(halves, out int shift), Is.EqualTo(halves.Select(v => (sbyte)(2 * v))));
        Assert.That(shift, Is.EqualTo(1));
        float[] normal = [.. halves];
        normal[3] = 0.3379152f;
        using WeightMatrix matrix = WeightMatrix.Allocate("nf4", 4, 64, new(WeightEncoding.Codebook4, 32), normal);
        Assert.That(PackedMatrix.CanPack(matrix), Is.False);
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void A_scale_that_is_not_finite_is_refused_with_its_place(float scale)
    {
        using WeightMatrix matrix = RandomWeights.Create(40, 64, new(WeightEncoding.Int8, 32), 1);
        matrix.Scales(37)[1] = scale;
        Assert.That(() => PackedMatrix.Pack(matrix, Pool), Throws.TypeOf<InvalidModelException>().With.Message.Contains("row 37, group 1"));
    }

    [Test]
    public void The_planned_size_is_what_is_taken_and_a_shared_zero_point_or_codes_of_six_bits_take_less([Values(1, 32, 70)] int rows, [Values(32, 48, 576)] int columns)
    {
        foreach (WeightFormat format in RandomWeights.PackableFormats(columns).Where(f => PackedMatrix.CanPack(f, columns)))
        {
            foreach (bool narrow in new[] { false, true })
            {
                using WeightMatrix matrix = RandomWeights.Create(rows, columns, format, 1, narrow);
                using PackedMatrix packed = PackedMatrix.Pack(matrix, Pool);
                long planned = PackedMatrix.PackedBytes(rows, columns, format);
                Assert.That(packed.Bytes, narrow || format.Encoding == WeightEncoding.Codebook4 || rows * matrix.Groups == 1 ? Is.LessThanOrEqualTo(planned) : Is.EqualTo(planned), $"{format} {format.Offset}");
            }
        }
    }

    [TestCase(WeightEncoding.Int8, GroupOffset.None, 32, nameof(PackedForm.Symmetric6), 6.5)]
    [TestCase(WeightEncoding.Int8, GroupOffset.None, 16, nameof(PackedForm.Halves6), 7.0)]
    [TestCase(WeightEncoding.Int8, GroupOffset.Minimum, 32, nameof(PackedForm.Affine6), 7.0)]
    [TestCase(WeightEncoding.UInt8, GroupOffset.ZeroPoint, 64, nameof(PackedForm.Affine6), 6.5)]
    public void Codes_that_fit_six_bits_are_stored_in_six(WeightEncoding encoding, GroupOffset offset, int groupSize, string form, double bits)
    {
        using WeightMatrix matrix = RandomWeights.Create(64, 256, new(encoding, groupSize, offset), 1, narrow: true);
        matrix.ZeroPoints(1).Fill(99);
        using PackedMatrix packed = PackedMatrix.Pack(matrix, Pool);
        Assert.That((packed.Shape.Form.ToString(), packed.Bytes * 8.0 / (64 * 256)), Is.EqualTo((form, bits)));
        matrix.Codes(63)[255] = (byte)(encoding == WeightEncoding.UInt8 ? 160 : 32);
        using PackedMatrix wide = PackedMatrix.Pack(matrix, Pool);
        Assert.That(wide.Bytes, Is.GreaterThan(packed.Bytes));
    }

    [TestCase(WeightEncoding.UInt4, GroupOffset.Minimum, 32, 5.0)]
    [TestCase(WeightEncoding.UInt4, GroupOffset.ZeroPoint, 128, 4.25)]
    [TestCase(WeightEncoding.UInt4, GroupOffset.None, 32, 4.5)]
    [TestCase(WeightEncoding.Int8, GroupOffset.None, 32, 8.5)]
    [TestCase(WeightEncoding.Int8, GroupOffset.None, 16, 9.0)]
    public void A_weight_costs_this_many_bits(WeightEncoding encoding, GroupOffset offset, int groupSize, double bits) =>
        Assert.That(PackedMatrix.PackedBytes(1024, 1024, new(encoding, groupSize, offset)) * 8.0 / (1024 * 1024), Is.EqualTo(bits));

    [Test]
    public void Four_bit_matrices_with_one_zero_point_store_no_offsets()
    {
        using WeightMatrix matrix = RandomWeights.Create(64, 64, new(WeightEncoding.UInt4, 32, GroupOffset.ZeroPoint), 1, narrow: true);
        using PackedMatrix packed = PackedMatrix.Pack(matrix, Pool);
        Assert.That((packed.Shape.Form, packed.Shape.Zero), Is.EqualTo((PackedForm.Uniform4, 8f)));
    }

    [Test]
    public void Scales_are_rounded_by_no_more_than_11_bits_whatever_their_unit([Values(1e-35f, 1e-9f, 1f, 1e30f)] float unit)
    {
        var random = new Random(1);
        using WeightMatrix matrix = RandomWeights.Create(32, 32, new(WeightEncoding.Int8, 32), 1);
        for (int row = 0; row < 32; row++)
            matrix.Scales(row)[0] = unit * MathF.Pow(10, 3 * random.NextSingle());
        using PackedMatrix packed = PackedMatrix.Pack(matrix, Pool);
        for (int row = 0; row < 32; row++)
        {
            double stored = (double)((Half*)packed.Panels)[row] * Math.ScaleB(1, packed.ScaleExponent);
            Assert.That(Math.Abs((stored / matrix.Scales(row)[0]) - 1), Is.LessThanOrEqualTo(1 / 2048.0));
        }
    }
}
