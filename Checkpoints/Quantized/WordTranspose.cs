namespace Portable.Checkpoints;

/// <summary>
/// Turns codes that are packed along the inputs, in words [words, outputs], into canonical rows, one an output: the words
/// of a column are the row, as they are for 4 and 8 bits, and wider for 2 and 3 bits.
/// </summary>
internal static unsafe class WordTranspose
{
    // Rows written at once, so that the lines they end in stay in the first-level cache.
    private const int TileRows = 64;

    /// <summary>Transposes the words into the codes of a matrix.</summary>
    /// <param name="source">The words, row-major; need not be aligned.</param>
    /// <param name="bits">Bits of a code: 2, 3, 4 or 8.</param>
    /// <param name="flip">Bits of every word that are inverted.</param>
    /// <param name="matrix">Receives the codes; its columns times bits are whole words, for 3 bits whole threes of words.</param>
    public static void Run(uint* source, int bits, uint flip, WeightMatrix matrix)
    {
        byte** rows = stackalloc byte*[TileRows];
        long outputs = matrix.Rows, words = (long)matrix.Columns * bits / 32;
        int step = bits == 3 ? 3 : 1;
        for (int first = 0; first < matrix.Rows; first += TileRows)
        {
            int count = Math.Min(TileRows, matrix.Rows - first);
            for (int i = 0; i < count; i++)
            {
                // The matrix owns native memory, so the address stays what it is.
                fixed (byte* codes = matrix.Codes(first + i))
                    rows[i] = codes;
            }

            for (long word = 0; word < words; word += step)
            {
                uint* column = source + (word * outputs) + first;
                for (int i = 0; i < count; i++)
                {
                    if (bits is 4 or 8)
                    {
                        ((uint*)rows[i])[word] = column[i] ^ flip;
                    }
                    else if (bits == 2)
                    {
                        ((ulong*)rows[i])[word] = SpreadPairs(column[i]);
                    }
                    else
                    {
                        ulong low = column[i] | ((ulong)column[i + outputs] << 32), high = column[i + (2 * outputs)];
                        ulong* target = (ulong*)(rows[i] + (word / 3 * 16));
                        target[0] = SpreadTriples(low);
                        target[1] = SpreadTriples((low >> 48) | (high << 16));
                    }
                }
            }
        }
    }

    /// <summary>16 fields of 2 bits as 16 of 4 bits.</summary>
    private static ulong SpreadPairs(ulong x)
    {
        x = (x | (x << 16)) & 0x0000FFFF_0000FFFF;
        x = (x | (x << 8)) & 0x00FF00FF_00FF00FF;
        x = (x | (x << 4)) & 0x0F0F0F0F_0F0F0F0F;
        return (x | (x << 2)) & 0x33333333_33333333;
    }

    /// <summary>The lower 16 fields of 3 bits as 16 of 4 bits.</summary>
    private static ulong SpreadTriples(ulong x)
    {
        ulong spread = 0;
        for (int i = 0; i < 16; i++)
            spread |= ((x >> (3 * i)) & 7) << (4 * i);
        return spread;
    }
}
