namespace Portable.Checkpoints;

/// <summary>The 2-bit codes of Q2_K and TQ2_0.</summary>
internal static class TwoBits
{
    /// <summary>
    /// 256 codes from 64 bytes into packed 4-bit codes: each byte of a half of 32 bytes serves values r, r + 32, r + 64
    /// and r + 96.
    /// </summary>
    public static void Read(ReadOnlySpan<byte> source, Span<byte> codes)
    {
        for (int half = 0; half < 2; half++)
        {
            for (int slab = 0; slab < 4; slab++)
            {
                Span<byte> target = codes.Slice((half * 64) + (slab * 16), 16);
                for (int pair = 0; pair < target.Length; pair++)
                {
                    int at = (half * 32) + (2 * pair);
                    target[pair] = (byte)(((source[at] >> (2 * slab)) & 3) | (((source[at + 1] >> (2 * slab)) & 3) << 4));
                }
            }
        }
    }
}
