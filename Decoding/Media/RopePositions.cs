namespace Portable.Decoding.Media;

/// <summary>
/// Rope positions of a prompt. Text counts on, equal on all axes; an image that begins at position p has frame p + t,
/// row p + r and column p + c (frames lie FrameStep apart), and text goes on after its largest position (Qwen2-VL; arXiv 2409.12191, section 2.1).
/// </summary>
internal static class RopePositions
{
    /// <summary>Computes the positions.</summary>
    /// <param name="tokens">Tokens of the prompt.</param>
    /// <param name="axes">1 or 3.</param>
    /// <param name="spans">Images in order of their start.</param>
    /// <param name="delta">What to add to a token's index to get its position after the prompt.</param>
    /// <returns>Positions axis by axis, [axes * tokens].</returns>
    public static int[] Compute(int tokens, int axes, IReadOnlyList<MediaSpan> spans, out int delta)
    {
        var positions = new int[axes * tokens];
        int index = 0, next = 0;
        foreach (MediaSpan span in spans)
        {
            Text(span.Start);
            if (axes == 1)
            {
                Text(span.Start + span.Length);
                continue;
            }

            TokenGrid grid = span.Grid;
            int largest = next;
            for (int t = 0; t < grid.Frames; t++)
            {
                for (int r = 0; r < grid.Rows; r++)
                {
                    for (int c = 0; c < grid.Columns; c++, index++)
                    {
                        positions[index] = next + (t * grid.FrameStep);
                        positions[tokens + index] = next + r;
                        positions[(2 * tokens) + index] = next + c;
                    }
                }
            }

            largest += Math.Max(((grid.Frames - 1) * grid.FrameStep) + 1, Math.Max(grid.Rows, grid.Columns));
            next = largest;
        }

        Text(tokens);
        delta = next - tokens;
        return positions;

        void Text(int end)
        {
            for (; index < end; index++, next++)
            {
                for (int axis = 0; axis < axes; axis++)
                    positions[(axis * tokens) + index] = next;
            }
        }
    }
}
