namespace Portable.Vision.Processing;

/// <summary>The instruction widths of the resampler; all give the same bytes.</summary>
internal enum ResampleKernel
{
    /// <summary>The widest that the machine accelerates.</summary>
    Best,

    /// <summary>One sample at a time: the oracle of the others.</summary>
    Scalar,

    /// <summary>128-bit vectors.</summary>
    Vector128,

    /// <summary>256-bit vectors.</summary>
    Vector256,

    /// <summary>512-bit vectors.</summary>
    Vector512,
}
