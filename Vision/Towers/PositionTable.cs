namespace Portable.Vision.Towers;

/// <summary>
/// A learned table of positions for a square grid, resampled for the grid of an image: bilinear, with the corners of
/// both grids on each other. Immutable.
/// </summary>
/// <param name="values">[side * side, width], row by row.</param>
/// <param name="side">Rows and columns of the table.</param>
/// <param name="width">Width of a row.</param>
internal sealed class PositionTable(float[] values, int side, int width)
{
    /// <summary>The position rows of some patches, [count, width].</summary>
    /// <param name="grid">The grid of the patches.</param>
    /// <param name="positions">Row and column of every patch, as <see cref="PatchGrid.Positions"/> gives them.</param>
    /// <param name="first">The first patch.</param>
    /// <param name="output">[count, width].</param>
    public void Resample(PatchGrid grid, int[] positions, int first, Span<float> output)
    {
        int patches = grid.Patches;
        for (int i = 0; i < output.Length / width; i++)
        {
            Span<float> row = output.Slice(i * width, width);
            (int top, int bottom, float down) = Neighbours(positions[first + i], grid.Rows);
            (int left, int right, float across) = Neighbours(positions[patches + first + i], grid.Columns);
            row.Clear();
            Add(top, left, (1 - down) * (1 - across), row);
            Add(top, right, (1 - down) * across, row);
            Add(bottom, left, down * (1 - across), row);
            Add(bottom, right, down * across, row);
        }
    }

    private void Add(int row, int column, float weight, Span<float> sum)
    {
        ReadOnlySpan<float> source = values.AsSpan(((row * side) + column) * width, width);
        for (int i = 0; i < sum.Length; i++)
            sum[i] += source[i] * weight;
    }

    /// <summary>The two rows (or columns) of the table around a patch, and how far it is from the first to the second.</summary>
    private (int Low, int High, float Part) Neighbours(int index, int count)
    {
        float at = count == 1 ? 0 : (side - 1f) / (count - 1) * index;
        int low = Math.Min((int)at, side - 1);
        return (low, Math.Min(low + 1, side - 1), at - low);
    }
}
