namespace Portable.Tests;

[TestFixture]
public sealed class WeightMatrixTests
{
    [Test]
    public void FourBitCodesAreTwoPerByteLowNibbleFirst()
    {
        using WeightMatrix matrix = WeightMatrix.Allocate("w", 1, 4, new WeightFormat(WeightEncoding.UInt4, 2, GroupOffset.ZeroPoint));
        matrix.Codes(0)[0] = 0x21;
        matrix.Codes(0)[1] = 0xF0;
        matrix.Scales(0)[0] = 0.5f;
        matrix.Scales(0)[1] = 2;
        matrix.ZeroPoints(0)[0] = 8;
        matrix.ZeroPoints(0)[1] = 15;
        var row = new float[4];
        matrix.DequantizeRow(0, row);
        Assert.That(row, Is.EqualTo((float[])[-3.5f, -3, -30, 0]));
    }

    [Test]
    public void AMinimumIsAddedToScaleTimesCode()
    {
        using WeightMatrix matrix = WeightMatrix.Allocate("w", 1, 2, new WeightFormat(WeightEncoding.UInt8, 2, GroupOffset.Minimum));
        matrix.Codes(0)[0] = 200;
        matrix.Codes(0)[1] = 0;
        matrix.Scales(0)[0] = 0.25f;
        matrix.Minimums(0)[0] = -10;
        var row = new float[2];
        matrix.DequantizeRow(0, row);
        Assert.That(row, Is.EqualTo((float[])[40, -10]));
    }

    [Test]
    public void ACodebookReplacesTheCode()
    {
        float[] codebook = [.. Enumerable.Range(0, 16).Select(i => (float)(i * i))];
        using WeightMatrix matrix = WeightMatrix.Allocate("w", 1, 2, new WeightFormat(WeightEncoding.Codebook4, 32), codebook);
        matrix.Codes(0)[0] = 0x3F;
        matrix.Scales(0)[0] = 0.1f;
        var row = new float[2];
        matrix.DequantizeRow(0, row);
        Assert.That(row, Is.EqualTo((float[])[0.1f * 225, 0.1f * 9]));
    }

    [Test]
    public void AGroupIndexAssignsGroupsToColumns()
    {
        using WeightMatrix matrix = WeightMatrix.Allocate("w", 1, 4, new WeightFormat(WeightEncoding.Int8, 2), null, [1, 0, 1, 0]);
        ((ReadOnlySpan<byte>)[1, 2, 0xFF, 0x80]).CopyTo(matrix.Codes(0));
        matrix.Scales(0)[0] = 1;
        matrix.Scales(0)[1] = 10;
        var row = new float[4];
        matrix.DequantizeRow(0, row);
        Assert.That(row, Is.EqualTo((float[])[10, 2, -10, -128]));
    }

    [TestCase((byte)0x00, 0f)]
    [TestCase((byte)0x01, 1f / 512)]
    [TestCase((byte)0x38, 1f)]
    [TestCase((byte)0xB8, -1f)]
    [TestCase((byte)0x7E, 448f)]
    [TestCase((byte)0x7F, float.NaN)]
    public void Float8HasSubnormalsNoInfinitiesAndOneNaN(byte bits, float value) => Assert.That(Float8.FromE4M3(bits), Is.EqualTo(value));

    [Test]
    public void RowsOutsideTheMatrixAreRefused()
    {
        using WeightMatrix matrix = WeightMatrix.Allocate("w", 2, 4, new WeightFormat(WeightEncoding.Float32));
        Assert.That(() => matrix.Codes(2).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => matrix.Codes(-1).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => WeightMatrix.Allocate("w", 1, 4, new WeightFormat(WeightEncoding.UInt4)), Throws.ArgumentException);
    }
}
