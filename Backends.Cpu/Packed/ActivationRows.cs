namespace Portable.Backends.Cpu;

/// <summary>
/// Quantised activations of a tile of rows (1 or 4), blocks of 32 inputs: code = x / scale, rounded half to even.
/// </summary>
internal readonly unsafe struct ActivationRows(sbyte* codes, float* scales, float* sums)
{
    /// <summary>Codes -127..127, [inputs / 4][rows][4].</summary>
    public readonly sbyte* Codes = codes;

    /// <summary>The scale of every block and row, [blocks][rows], divided by <see cref="ActivationQuantizer">the row's power of two</see>.</summary>
    public readonly float* Scales = scales;

    /// <summary>Scale times the sum of the codes, [blocks][rows]: what an offset of the weights is multiplied by.</summary>
    public readonly float* Sums = sums;
}
