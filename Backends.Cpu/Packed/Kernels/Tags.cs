namespace Portable.Backends.Cpu;

/// <summary>
/// The values of <see cref="PackedForm"/> as types. A kernel is compiled once for each, so that its form is known when
/// it is compiled; a flag handed to an inlined method would do the same, but the compiler stops inlining where much
/// more is to be inlined than the outermost method itself is long.
/// </summary>
internal static class Tags
{
    /// <summary><see cref="PackedForm.Uniform4"/> with another zero point than 8.</summary>
    internal readonly struct Uniform4;

    /// <summary><see cref="PackedForm.Uniform4"/> with the zero point 8, which the sums start with.</summary>
    internal readonly struct Centred4;

    internal readonly struct Affine4;

    internal readonly struct Symmetric8;

    internal readonly struct Affine8;

    internal readonly struct Halves8;

    internal readonly struct Symmetric6;

    internal readonly struct Affine6;

    internal readonly struct Halves6;
}
