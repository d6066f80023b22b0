using Portable.Testing.Foreign;

namespace Portable.Tests;

[TestFixture]
public sealed class TensorViewTests
{
    private ForeignDevice _device = null!;
    private DeviceBuffer _buffer = null!;

    [SetUp]
    public void Open()
    {
        _device = new ForeignBackend().OpenForeign();
        _buffer = _device.Allocate(256, MemoryKind.Workspace);
    }

    [TearDown]
    public void Close()
    {
        _buffer.Dispose();
        _device.Dispose();
    }

    [Test]
    public void SlicesKeepTheRowStride()
    {
        TensorView view = _buffer.View(ElementType.Float16, 4, 16);
        TensorView part = view.SliceRows(1, 2).SliceColumns(4, 8);
        Assert.That((part.Offset, part.Rows, part.Columns, part.RowStride, part.IsContiguous), Is.EqualTo((40L, 2, 8, 16, false)));
        Assert.That(() => part.Reshape(1, 16), Throws.ArgumentException);
        Assert.That(view.Reshape(8, 8).RowStride, Is.EqualTo(8));
    }

    [TestCase(ElementType.Float32, 1, 65, 65, 0L)]
    [TestCase(ElementType.Float32, 2, 32, 33, 0L)]
    [TestCase(ElementType.Float32, 1, 1, 1, 2L)]
    [TestCase(ElementType.Int32, 1, 1, 1, -4L)]
    [TestCase(ElementType.Float16, 2, 4, 3, 0L)]
    [TestCase(ElementType.Float16, int.MaxValue, int.MaxValue, int.MaxValue, 0L)]
    public void AViewThatWouldLeaveTheBufferIsRefused(ElementType type, int rows, int columns, int stride, long offset) =>
        Assert.That(() => new TensorView(_buffer, offset, type, rows, columns, stride), Throws.ArgumentException);

    [Test]
    public void AViewWithoutRowsMayBeginAnywhereSinceItTouchesNothing() =>
        Assert.That(_buffer.View(ElementType.Float32, 0, 64).SliceColumns(60, 4).Length, Is.Zero);
}
