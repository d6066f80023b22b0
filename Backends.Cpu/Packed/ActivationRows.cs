namespace Portable.Backends.Cpu;

/// <summary>
/// Quantised activations of a tile of rows (1 or 4), blocks of 32 inputs: code = x / scale, rounded half to even.
/// </summary>
internal readonly unsafe struct ActivationRows(sbyte* codes, float* scales, float* sums, int* starts)
{
    /// <summary>Numbers in <see cref="Starts"/> for every block and row.</summary>
    public const int StartsPerBlock = 4;

    /// <summary>In <see cref="Starts"/>: -8 times the sum of the codes, as two equal halves of 16 bits.</summary>
    public const int PairedNibbles = 0;

    /// <summary>In <see cref="Starts"/>: -8 times the sum of the codes.</summary>
    public const int Nibbles = 1;

    /// <summary>In <see cref="Starts"/>: -32 times the sum of the lower 16 codes, and then of the upper 16.</summary>
    public const int SixBits = 2;

    /// <summary>Codes -127..127, [inputs / 4][rows][4].</summary>
    public readonly sbyte* Codes = codes;

    /// <summary>The scale of every block and row, [blocks][rows], divided by <see cref="ActivationQuantizer">the row's power of two</see>.</summary>
    public readonly float* Scales = scales;

    /// <summary>Scale times the sum of the codes, [blocks][rows]: what an offset of the weights is multiplied by.</summary>
    public readonly float* Sums = sums;

    /// <summary>
    /// What makes up for weights that are stored plus a constant, [blocks][rows][4]: a sum of products that starts with it
    /// instead of zero ends as that of the weights themselves, exactly.
    /// </summary>
    public readonly int* Starts = starts;
}
