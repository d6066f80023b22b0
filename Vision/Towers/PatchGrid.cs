namespace Portable.Vision.Towers;

/// <summary>
/// Where an image's patches lie: the integers that rope, windows and attention need. Patches are grouped in merge blocks;
/// blocks follow each other frame by frame and row by row, or window by window. Sides are multiples of the merge size.
/// </summary>
/// <param name="Frames">Patches in time.</param>
/// <param name="Rows">Patches in height.</param>
/// <param name="Columns">Patches in width.</param>
/// <param name="MergeSize">Patches of a block's side.</param>
internal readonly record struct PatchGrid(int Frames, int Rows, int Columns, int MergeSize)
{
    /// <summary>Patches.</summary>
    public int Patches => Frames * Rows * Columns;

    /// <summary>Merge blocks: tokens.</summary>
    public int Blocks => Patches / (MergeSize * MergeSize);

    private int BlockRows => Rows / MergeSize;

    private int BlockColumns => Columns / MergeSize;

    /// <summary>Offsets of whole frames, in patches.</summary>
    public int[] FrameOffsets()
    {
        var offsets = new int[Frames + 1];
        for (int frame = 1; frame <= Frames; frame++)
            offsets[frame] = frame * Rows * Columns;
        return offsets;
    }

    /// <summary>
    /// Cuts each frame into windows of blocks, row by row from the top left; those at the right and at the bottom may be
    /// smaller.
    /// </summary>
    /// <param name="side">Blocks of a window's side.</param>
    /// <param name="offsets">Offsets of the windows, in patches.</param>
    /// <returns>Blocks in window order: the index of each in row order.</returns>
    public int[] WindowOrder(int side, out int[] offsets)
    {
        var order = new int[Blocks];
        var ends = new List<int> { 0 };
        int next = 0;
        for (int frame = 0; frame < Frames; frame++)
        {
            for (int top = 0; top < BlockRows; top += side)
            {
                for (int left = 0; left < BlockColumns; left += side)
                {
                    for (int row = top; row < Math.Min(top + side, BlockRows); row++)
                    {
                        for (int column = left; column < Math.Min(left + side, BlockColumns); column++)
                            order[next++] = (((frame * BlockRows) + row) * BlockColumns) + column;
                    }

                    ends.Add(next * MergeSize * MergeSize);
                }
            }
        }

        offsets = [.. ends];
        return order;
    }

    /// <summary>Row and column of every patch, [2 * patches]: all rows, then all columns.</summary>
    /// <param name="order">Blocks in the order wanted; null for row order.</param>
    public int[] Positions(int[]? order)
    {
        int patches = Patches, index = 0;
        var positions = new int[2 * patches];
        for (int i = 0; i < Blocks; i++)
        {
            int block = (order?[i] ?? i) % (BlockRows * BlockColumns);
            int top = block / BlockColumns * MergeSize, left = block % BlockColumns * MergeSize;
            for (int row = top; row < top + MergeSize; row++)
            {
                for (int column = left; column < left + MergeSize; column++, index++)
                {
                    positions[index] = row;
                    positions[patches + index] = column;
                }
            }
        }

        return positions;
    }

    /// <summary>The permutation that undoes another.</summary>
    public static int[] Inverse(int[] order)
    {
        var inverse = new int[order.Length];
        for (int i = 0; i < order.Length; i++)
            inverse[order[i]] = i;
        return inverse;
    }
}
