namespace Portable.Vision.Images;

/// <summary>The variable-length LZW code of GIF (GIF89a specification, appendix F).</summary>
internal static class GifLzw
{
    private const int MostBits = 12;
    private const int None = -1;

    /// <summary>Decodes data sub-blocks until all indices are known; the rest of the file is not looked at.</summary>
    /// <param name="file">For errors.</param>
    /// <param name="blocks">Sub-blocks: a length byte and as many bytes each, ended by a length of zero.</param>
    /// <param name="codeBits">Bits of an index, 1 to 8.</param>
    /// <param name="indices">Receives the indices.</param>
    public static void Decode(in ImageFile file, ReadOnlySpan<byte> blocks, int codeBits, Span<byte> indices)
    {
        int clear = 1 << codeBits, end = clear + 1;
        Span<ushort> prefix = stackalloc ushort[1 << MostBits];
        Span<byte> last = stackalloc byte[1 << MostBits];
        Span<byte> reversed = stackalloc byte[1 << MostBits];
        int next = end + 1, bits = codeBits + 1, previous = None, inBlock = 0, at = 0, written = 0;
        uint buffer = 0;
        int buffered = 0;
        byte firstOfPrevious = 0;
        while (written < indices.Length)
        {
            while (buffered < bits)
            {
                if (inBlock == 0)
                {
                    inBlock = at < blocks.Length ? blocks[at++] : throw file.Truncated("the GIF's image data");
                    if (inBlock == 0)
                        throw file.Broken($"the GIF's image data ends after {written} of {indices.Length} pixels");
                }

                if (at >= blocks.Length)
                    throw file.Truncated("the GIF's image data");
                buffer |= (uint)blocks[at++] << buffered;
                buffered += 8;
                inBlock--;
            }

            int code = (int)(buffer & ((1u << bits) - 1));
            buffer >>= bits;
            buffered -= bits;
            if (code == clear)
            {
                (next, bits, previous) = (end + 1, codeBits + 1, None);
                continue;
            }

            if (code == end)
                throw file.Broken($"the GIF's image data ends after {written} of {indices.Length} pixels");
            if (code > next || (previous == None && code >= clear) || (code == next && next >= 1 << MostBits))
                throw file.Broken("the GIF's image data has a code that was never defined");

            // A string is read from its end; the code about to be defined is the previous string and its first index.
            int length = 0, walk = code;
            if (code == next)
            {
                reversed[length++] = firstOfPrevious;
                walk = previous;
            }

            while (walk > end)
            {
                reversed[length++] = last[walk];
                walk = prefix[walk];
            }

            firstOfPrevious = (byte)walk;
            reversed[length++] = firstOfPrevious;
            for (int i = length - 1; i >= 0 && written < indices.Length; i--)
                indices[written++] = reversed[i];

            if (previous != None && next < 1 << MostBits)
            {
                prefix[next] = (ushort)previous;
                last[next] = firstOfPrevious;
                next++;
                if (next == 1 << bits && bits < MostBits)
                    bits++;
            }

            previous = code;
        }
    }
}
