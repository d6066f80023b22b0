using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
                int done = Vector128.IsHardwareAccelerated && pixel is 3 or 4 ? UndoPaethByPixel(row, previous, pixel) : pixel;
                for (int i = done; i < row.Length; i++)
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

    // The channels of a pixel side by side; the chain from pixel to pixel is what bounds the speed. Reads four bytes
    // even of three, so the last pixel is left to the caller. Returns the first byte that is not done.
    private static int UndoPaethByPixel(Span<byte> row, ReadOnlySpan<byte> previous, int pixel)
    {
        int i = pixel;
        if (row.Length < pixel + sizeof(uint))
            return i;
        Vector128<short> left = Widen(row), aboveLeft = Widen(previous);
        for (; i <= row.Length - sizeof(uint); i += pixel)
        {
            Vector128<short> above = Widen(previous[i..]);
            Vector128<short> vertical = above - aboveLeft, horizontal = left - aboveLeft;
            Vector128<short> toLeft = Vector128.Abs(vertical), toAbove = Vector128.Abs(horizontal);
            Vector128<short> toBoth = Vector128.Abs(vertical + horizontal);
            Vector128<short> nearest = Vector128.Min(toBoth, Vector128.Min(toLeft, toAbove));
            Vector128<short> predicted = Vector128.ConditionalSelect(
                Vector128.Equals(nearest, toLeft),
                left,
                Vector128.ConditionalSelect(Vector128.Equals(nearest, toAbove), above, aboveLeft));
            left = (Widen(row[i..]) + predicted) & Vector128.Create((short)255);
            uint plain = Vector128.Narrow(left.AsUInt16(), left.AsUInt16()).AsUInt32().ToScalar();
            ref byte to = ref row[i];
            Unsafe.WriteUnaligned(ref to, (ushort)plain);
            Unsafe.Add(ref to, 2) = (byte)(plain >> 16);
            if (pixel == 4)
                Unsafe.Add(ref to, 3) = (byte)(plain >> 24);
            aboveLeft = above;
        }

        return i;
    }

    private static Vector128<short> Widen(ReadOnlySpan<byte> pixel) =>
        Vector128.WidenLower(Vector128.CreateScalarUnsafe(MemoryMarshal.Read<uint>(pixel)).AsByte()).AsInt16();
}
