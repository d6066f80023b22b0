namespace Portable.Backends.Cpu;

/// <summary>
/// What a panel stores. w = scale * code + offset, or scale * (code - zero). In all forms the scales and offsets are
/// binary16 times a power of two of the matrix.
/// </summary>
internal enum PackedForm
{
    /// <summary>4-bit codes 0..15, a scale per group, one zero point for the whole matrix.</summary>
    Uniform4,

    /// <summary>4-bit codes 0..15, a scale and an offset per group.</summary>
    Affine4,

    /// <summary>8-bit codes -128..127, a scale per group.</summary>
    Symmetric8,

    /// <summary>8-bit codes -128..127, a scale and an offset per group.</summary>
    Affine8,

    /// <summary>8-bit codes -128..127, a scale per 16 columns: groups of 32 with a scale for either half.</summary>
    Halves8,

    /// <summary>6-bit codes -32..31, a scale per group.</summary>
    Symmetric6,

    /// <summary>6-bit codes -32..31, a scale and an offset per group.</summary>
    Affine6,

    /// <summary>6-bit codes -32..31, a scale per 16 columns: groups of 32 with a scale for either half.</summary>
    Halves6,
}
