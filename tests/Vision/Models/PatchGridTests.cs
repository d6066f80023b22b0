using Portable.Vision.Towers;

namespace Portable.Tests.Vision.Models;

/// <summary>The integers that a tower is driven by.</summary>
[TestFixture]
public sealed class PatchGridTests
{
    [Test]
    public void WindowsAreCutRowByRowFromTheTopLeftAndTheOnesAtTheEdgesAreSmaller()
    {
        var grid = new PatchGrid(1, 12, 10, 2);
        int[] order = grid.WindowOrder(4, out int[] offsets);
        Assert.That(order, Is.EqualTo(new[]
        {
            0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18, 4, 9, 14, 19, 20, 21, 22, 23, 25, 26, 27, 28, 24, 29,
        }));
        Assert.That(offsets, Is.EqualTo(new[] { 0, 64, 80, 112, 120 }));
    }

    [Test]
    public void InverseUndoesAnOrder()
    {
        int[] order = new PatchGrid(2, 6, 14, 2).WindowOrder(2, out _), inverse = PatchGrid.Inverse(order);
        Assert.That(order.Order(), Is.EqualTo(Enumerable.Range(0, order.Length)));
        Assert.That(Enumerable.Range(0, order.Length).Select(i => order[inverse[i]]), Is.EqualTo(Enumerable.Range(0, order.Length)));
    }

    [Test]
    public void PositionsFollowThePatchesOfEachMergeBlockRowByRowInEveryFrame()
    {
        int[] positions = new PatchGrid(2, 2, 4, 2).Positions(null);
        int[] rows = [0, 0, 1, 1, 0, 0, 1, 1], columns = [0, 1, 0, 1, 2, 3, 2, 3];
        Assert.That(positions, Is.EqualTo(new[] { rows, rows, columns, columns }.SelectMany(p => p)));
    }

    [Test]
    public void EachFrameIsASegment() => Assert.That(new PatchGrid(3, 4, 2, 2).FrameOffsets(), Is.EqualTo(new[] { 0, 8, 16, 24 }));

    [Test]
    public void AGridOfTheTablesOwnSizeTakesItsRowsAsTheyAreAndTheCornersAlwaysMeet()
    {
        const int side = 4, width = 3;
        float[] values = [.. Enumerable.Range(0, side * side * width).Select(i => i * 0.25f)];
        var table = new PositionTable(values, side, width, PositionKind.Bilinear);
        var same = new PatchGrid(1, side, side, 1);
        float[] output = new float[values.Length];
        table.Resample(same, same.Positions(null), 0, output);
        Assert.That(output, Is.EqualTo(values));

        var larger = new PatchGrid(1, 7, 10, 1);
        output = new float[larger.Patches * width];
        table.Resample(larger, larger.Positions(null), 0, output);
        Assert.That(output[..width], Is.EqualTo(values[..width]));
        Assert.That(output[^width..], Is.EqualTo(values[^width..]).Within(1e-5));
        // 7 rows over 4: the second lies halfway between the table's first two.
        Assert.That(output[10 * width], Is.EqualTo((values[0] + values[side * width]) / 2).Within(1e-6));
    }

    [Test]
    public void TheRopeReadsRowsWithItsFirstHalfAndColumnsWithItsSecond()
    {
        var config = new VisionTowerConfig
        {
            Width = 80, Layers = 1, Heads = 1, FeedForwardSize = 1, OutputSize = 1, PatchSize = 14, TemporalPatchSize = 2, MergeSize = 2,
            Norm = NormKind.Layer, Activation = ActivationKind.Gelu,
        };
        Assert.That(config.FrequencyAxes(), Is.EqualTo(Enumerable.Repeat(0, 20).Concat(Enumerable.Repeat(1, 20))));
        float[] inverse = config.InverseFrequencies();
        Assert.That(inverse[..20], Is.EqualTo(inverse[20..]));
        for (int k = 0; k < 20; k++)
            Assert.That(inverse[k], Is.EqualTo(Math.Pow(10000, -2 * k / 40.0)).Within(1e-6));
    }
}
