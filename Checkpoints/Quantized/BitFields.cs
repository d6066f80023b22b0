namespace Portable.Checkpoints;

/// <summary>Codes of up to 8 bits in a little-endian string of bits: field i is the bits from i * width on.</summary>
internal static class BitFields
{
    /// <summary>One field.</summary>
    public static int Read(ReadOnlySpan<byte> stream, long index, int width)
    {
        long bit = index * width;
        int at = (int)(bit >> 3), shift = (int)(bit & 7), value = stream[at] >> shift;
        if (shift + width > 8)
            value |= stream[at + 1] << (8 - shift);
        return value & ((1 << width) - 1);
    }

    /// <summary>A row of fields of 2 to 4 bits as packed 4-bit codes, or of 5 to 8 bits as bytes.</summary>
    public static void Unpack(ReadOnlySpan<byte> stream, int width, int count, Span<byte> codes)
    {
        if (width is 4 or 8)
        {
            // What fills up the last word is not part of the row.
            stream[..codes.Length].CopyTo(codes);
            return;
        }

        if (width > 4)
        {
            for (int i = 0; i < count; i++)
                codes[i] = (byte)Read(stream, i, width);
            return;
        }

        codes.Clear();
        for (int i = 0; i < count; i++)
            codes[i / 2] |= (byte)(Read(stream, i, width) << (4 * (i % 2)));
    }
}
