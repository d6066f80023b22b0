using System.Numerics;

namespace Portable.Vision.Images;

/// <summary>The five row filters of PNG (ISO/IEC 15948, clause 9).</summary>
internal static class PngFilter
{
    /// <summary>Undoes a filter in place.</summary>
    /// <param name="filter">The filter's number.</param>
    /// <param name="row">The filtered row; the plain row afterwards.</param>
    /// <param name="previous">The plain row above, zeros for the first; as long as <paramref name="row"/>.</param>
    /// <param name="pixel">Bytes of a pixel, at least 1.</param>
    /// <returns>False for a filter that does not exist.</returns>
    public static bool Undo(byte filter, Span<byte> row, ReadOnlySpan<byte> previous, int pixel)
    {
        previous = previous[..row.Length];
        switch (filter)
        {
            case 0:
                return true;
            case 1:
                for (int i = pixel; i < row.Length; i++)
                    row[i] += row[i - pixel];
                return true;
            case 2:
                int at = 0;
                for (; at <= row.Length - Vector<byte>.Count; at += Vector<byte>.Count)
                    (new Vector<byte>(row[at..]) + new Vector<byte>(previous[at..])).CopyTo(row[at..]);
                for (; at < row.Length; at++)
                    row[at] += previous[at];
                return true;
            case 3:
                for (int i = 0; i < row.Length; i++)
                    row[i] += (byte)(((i < pixel ? 0 : row[i - pixel]) + previous[i]) / 2);
                return true;
            case 4:
                for (int i = 0; i < Math.Min(pixel, row.Length); i++)
                    row[i] += previous[i];
                for (int i = pixel; i < row.Length; i++)
                    row[i] += Paeth(row[i - pixel], previous[i], previous[i - pixel]);
                return true;
            default:
                return false;
        }
    }

    private static byte Paeth(int left, int above, int aboveLeft)
    {
        int toLeft = Math.Abs(above - aboveLeft), toAbove = Math.Abs(left - aboveLeft), toBoth = Math.Abs(left + above - 2 * aboveLeft);
        return (byte)(toLeft <= toAbove && toLeft <= toBoth ? left : toAbove <= toBoth ? above : aboveLeft);
    }
}
