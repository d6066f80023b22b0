namespace Portable.Vision.Towers;

/// <summary>
/// A learned table of positions for a square grid, resampled for the grid of an image, or read row by row where both are the same. Immutable.
/// </summary>
/// <param name="values">[side * side, width], row by row.</param>
/// <param name="side">Rows and columns of the table.</param>
/// <param name="width">Width of a row.</param>
/// <param name="kind">How it is read.</param>
internal sealed class PositionTable(float[] values, int side, int width, PositionKind kind)
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
            row.Clear();
            if (kind == PositionKind.Fixed)
            {
                Add(positions[first + i], positions[patches + first + i], 1, row);
                continue;
            }

            if (kind == PositionKind.Bicubic)
            {
                AddBicubic(positions[first + i], positions[patches + first + i], grid, row);
                continue;
            }

            (int top, int bottom, float down) = Neighbours(positions[first + i], grid.Rows);
            (int left, int right, float across) = Neighbours(positions[patches + first + i], grid.Columns);
            Add(top, left, (1 - down) * (1 - across), row);
            Add(top, right, (1 - down) * across, row);
            Add(bottom, left, down * (1 - across), row);
            Add(bottom, right, down * across, row);
        }
    }

    // PyTorch's bicubic grid sampling without aligned corners: a = -0.75, coordinates beyond the table are those of its edge.
    private void AddBicubic(int row, int column, PatchGrid grid, Span<float> sum)
    {
        float y = ((row + 0.5f) / grid.Rows * side) - 0.5f, x = ((column + 0.5f) / grid.Columns * side) - 0.5f;
        int top = (int)MathF.Floor(y), left = (int)MathF.Floor(x);
        Span<float> down = stackalloc float[4], across = stackalloc float[4];
        Cubic(y - top, down);
        Cubic(x - left, across);
        for (int i = 0; i < 4; i++)
        {
            for (int j = 0; j < 4; j++)
                Add(Math.Clamp(top - 1 + i, 0, side - 1), Math.Clamp(left - 1 + j, 0, side - 1), down[i] * across[j], sum);
        }
    }

    private static void Cubic(float t, Span<float> weights)
    {
        const float A = -0.75f;
        weights[0] = Outer(t + 1);
        weights[1] = Inner(t);
        weights[2] = Inner(1 - t);
        weights[3] = Outer(2 - t);

        static float Inner(float d) => ((((A + 2) * d) - (A + 3)) * d * d) + 1;

        static float Outer(float d) => (((((d - 5) * d) + 8) * d) - 4) * A;
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
