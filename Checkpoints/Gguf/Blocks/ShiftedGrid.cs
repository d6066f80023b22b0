namespace Portable.Checkpoints;

/// <summary>
/// The values of IQ1: -1, 0 or 1, and an eighth more or less. Times eight they are the odd integers of a codebook; the
/// eighth goes into the scale, where it is exact.
/// </summary>
internal static class ShiftedGrid
{
    /// <summary>What scales are multiplied by.</summary>
    public const float Eighth = 0.125f;

    /// <summary>Eight times the value of each code: -1, 0, 1 plus an eighth, then from code 8 on minus an eighth.</summary>
    public static float[] Codebook() => [-7, 1, 9, 0, 0, 0, 0, 0, -9, -1, 7, 0, 0, 0, 0, 0];

    /// <summary>The eight packed codes of an entry.</summary>
    public static uint Codes(int index, bool isMinus) => GridCodes.Spread(GgufGrids.Iq1[index]) | (isMinus ? 0x88888888 : 0);
}
