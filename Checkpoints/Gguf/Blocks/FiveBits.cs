namespace Portable.Checkpoints;

/// <summary>The 5-bit codes of Q5_0 and Q5_1.</summary>
internal static class FiveBits
{
    /// <summary>32 codes: values 0-15 are the low nibbles, 16-31 the high ones, each with its own upper bit.</summary>
    /// <param name="nibbles">16 bytes.</param>
    /// <param name="upper">Bit i belongs to value i.</param>
    /// <param name="zeroPoint">Subtracted from every code.</param>
    /// <param name="codes">Receives 32 signed codes.</param>
    public static void Read(ReadOnlySpan<byte> nibbles, uint upper, int zeroPoint, Span<byte> codes)
    {
        for (int i = 0; i < 16; i++)
        {
            uint low = nibbles[i] & 15u, high = (uint)nibbles[i] >> 4;
            codes[i] = (byte)((low | ((upper >> i & 1) << 4)) - (uint)zeroPoint);
            codes[i + 16] = (byte)((high | ((upper >> (i + 16) & 1) << 4)) - (uint)zeroPoint);
        }
    }
}
