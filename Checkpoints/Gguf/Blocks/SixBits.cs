namespace Portable.Checkpoints;

/// <summary>The 6-bit scales and minimums of Q4_K and Q5_K.</summary>
internal static class SixBits
{
    /// <summary>Group j's 6-bit scale and minimum; the second four have their upper two bits in the first eight bytes.</summary>
    public static (int Scale, int Minimum) Unpack(ReadOnlySpan<byte> packed, int j) => j < 4
        ? (packed[j] & 63, packed[j + 4] & 63)
        : ((packed[j + 4] & 15) | (packed[j - 4] >> 6 << 4), (packed[j + 4] >> 4) | (packed[j] >> 6 << 4));
}
