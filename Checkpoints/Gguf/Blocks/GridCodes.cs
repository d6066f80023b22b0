namespace Portable.Checkpoints;

/// <summary>Entries of <see cref="GgufGrids"/> as packed 4-bit codes.</summary>
internal static class GridCodes
{
    /// <summary>Eight values of 2 bits as eight codes.</summary>
    public static uint Spread(ushort entry)
    {
        uint x = (entry | ((uint)entry << 8)) & 0x00FF00FF;
        x = (x | (x << 4)) & 0x0F0F0F0F;
        return (x | (x << 2)) & 0x33333333;
    }

    /// <summary>Eight signs, bit i for value i, as the upper bits of eight codes.</summary>
    public static uint Signs(uint signs)
    {
        uint x = (signs | (signs << 12)) & 0x000F000F;
        x = (x | (x << 6)) & 0x03030303;
        return ((x | (x << 3)) & 0x11111111) << 3;
    }

    /// <summary>Eight signs of which seven are stored: the number of minus signs is even (ksigns_iq2xs of ggml).</summary>
    public static uint EvenSigns(uint seven)
    {
        seven &= 127;
        return Signs(seven | ((uint)System.Numerics.BitOperations.PopCount(seven) & 1) << 7);
    }
}
