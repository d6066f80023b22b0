namespace Portable.Checkpoints;

/// <summary>
/// Turns 4-bit codes that are packed along the outputs, one row of words an input, into canonical rows, one an output
/// with neighbouring inputs in a byte.
/// </summary>
internal static unsafe class NibbleTranspose
{
    private const int CodesPerWord = 8;

    // Eight pairs of inputs make eight bytes of each of a word's eight outputs.
    private const int TileInputs = 16;

    /// <summary>Words whose outputs are written at once, so that the lines they end in stay in the first-level cache.</summary>
    public const int TileWords = 32;

    /// <summary>Transposes some words of each input of [inputs, words] into the codes of a UInt4 matrix of 8 * words rows.</summary>
    /// <param name="source">The words, row-major; need not be aligned.</param>
    /// <param name="inputs">Columns of the matrix.</param>
    /// <param name="words">Words of one input.</param>
    /// <param name="firstWord">The first word that is transposed.</param>
    /// <param name="tileWords">How many are, at most <see cref="TileWords"/>.</param>
    /// <param name="columnOfNibble">Which of the word's eight outputs each nibble is, lowest nibble first.</param>
    /// <param name="matrix">Receives the codes.</param>
    public static void Transpose(uint* source, int inputs, int words, int firstWord, int tileWords, ReadOnlySpan<byte> columnOfNibble, WeightMatrix matrix)
    {
        byte** rows = stackalloc byte*[TileWords * CodesPerWord];
        int whole = inputs / TileInputs * TileInputs;
        for (int i = 0; i < tileWords * CodesPerWord; i++)
        {
            int row = ((firstWord + (i / CodesPerWord)) * CodesPerWord) + columnOfNibble[i % CodesPerWord];
            // The matrix owns native memory, so the address stays what it is.
            fixed (byte* codes = matrix.Codes(row))
                rows[i] = codes;
        }

        for (int k = 0; k < whole; k += TileInputs)
        {
            for (int word = 0; word < tileWords; word++)
                TransposeTile(source + ((long)k * words) + firstWord + word, words, rows + (word * CodesPerWord), k / 2);
        }

        for (int k = whole; k < inputs; k++)
        {
            for (int i = 0; i < tileWords * CodesPerWord; i++)
            {
                int code = (int)(source[((long)k * words) + firstWord + (i / CodesPerWord)] >> (i % CodesPerWord * 4)) & 15;
                byte* target = rows[i] + (k / 2);
                *target = (byte)(k % 2 == 0 ? code : *target | (code << 4));
            }
        }
    }

    /// <summary>16 inputs of one word: the bytes of eight input pairs are an 8 x 8 matrix, which is transposed in registers.</summary>
    private static void TransposeTile(uint* source, long stride, byte** rows, int offset)
    {
        ulong a0 = Pairs(source, stride, 0), a1 = Pairs(source, stride, 1), a2 = Pairs(source, stride, 2), a3 = Pairs(source, stride, 3);
        ulong a4 = Pairs(source, stride, 4), a5 = Pairs(source, stride, 5), a6 = Pairs(source, stride, 6), a7 = Pairs(source, stride, 7);
        Exchange(ref a0, ref a4, 32, 0x00000000_FFFFFFFF);
        Exchange(ref a1, ref a5, 32, 0x00000000_FFFFFFFF);
        Exchange(ref a2, ref a6, 32, 0x00000000_FFFFFFFF);
        Exchange(ref a3, ref a7, 32, 0x00000000_FFFFFFFF);
        Exchange(ref a0, ref a2, 16, 0x0000FFFF_0000FFFF);
        Exchange(ref a1, ref a3, 16, 0x0000FFFF_0000FFFF);
        Exchange(ref a4, ref a6, 16, 0x0000FFFF_0000FFFF);
        Exchange(ref a5, ref a7, 16, 0x0000FFFF_0000FFFF);
        Exchange(ref a0, ref a1, 8, 0x00FF00FF_00FF00FF);
        Exchange(ref a2, ref a3, 8, 0x00FF00FF_00FF00FF);
        Exchange(ref a4, ref a5, 8, 0x00FF00FF_00FF00FF);
        Exchange(ref a6, ref a7, 8, 0x00FF00FF_00FF00FF);
        // Bytes 0-3 of a pair are the even nibbles, 4-7 the odd ones.
        *(ulong*)(rows[0] + offset) = a0;
        *(ulong*)(rows[2] + offset) = a1;
        *(ulong*)(rows[4] + offset) = a2;
        *(ulong*)(rows[6] + offset) = a3;
        *(ulong*)(rows[1] + offset) = a4;
        *(ulong*)(rows[3] + offset) = a5;
        *(ulong*)(rows[5] + offset) = a6;
        *(ulong*)(rows[7] + offset) = a7;
    }

    /// <summary>One byte for each nibble of the word: the code of the even input below that of the odd one.</summary>
    private static ulong Pairs(uint* source, long stride, int pair)
    {
        uint even = source[2 * pair * stride], odd = source[((2 * pair) + 1) * stride];
        uint evenNibbles = (even & 0x0F0F0F0F) | ((odd & 0x0F0F0F0F) << 4);
        uint oddNibbles = ((even >> 4) & 0x0F0F0F0F) | (odd & 0xF0F0F0F0);
        return evenNibbles | ((ulong)oddNibbles << 32);
    }

    private static void Exchange(ref ulong low, ref ulong high, int shift, ulong mask)
    {
        ulong difference = ((low >> shift) ^ high) & mask;
        high ^= difference;
        low ^= difference << shift;
    }
}
