namespace Portable.Decoding.Templates;

/// <summary>Stable sorting by Python's order. The framework's own sorts wrap what a comparison throws.</summary>
internal static class PyOrder
{
    public static object?[] Sort(RenderContext context, object?[] values) => Sort(context, values, values, reverse: false);

    /// <summary>Sorts by keys; equal ones keep their order, also when the order is reversed.</summary>
    public static object?[] Sort(RenderContext context, object?[] values, object?[] keys, bool reverse)
    {
        int[] order = [.. Enumerable.Range(0, values.Length)];
        var merged = new int[order.Length];
        for (int width = 1; width < order.Length; width *= 2)
        {
            for (int start = 0; start < order.Length; start += 2 * width)
                Merge(context, keys, reverse, order, merged, start, Math.Min(start + width, order.Length), Math.Min(start + 2 * width, order.Length));
            (order, merged) = (merged, order);
        }

        return [.. order.Select(i => values[i])];
    }

    private static void Merge(RenderContext context, object?[] keys, bool reverse, int[] from, int[] to, int left, int middle, int end)
    {
        int right = middle, stop = middle;
        for (int at = left; at < end; at++)
        {
            bool takeRight = left == stop || (right < end && Precedes(context, keys[from[right]], keys[from[left]], reverse));
            to[at] = takeRight ? from[right++] : from[left++];
        }
    }

    private static bool Precedes(RenderContext context, object? a, object? b, bool reverse)
    {
        context.Step();
        return PyCompare.Order(context, a, b) is { } order && (reverse ? order > 0 : order < 0);
    }
}
