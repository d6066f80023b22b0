using Portable.Backends.Cpu;

namespace Portable.Benchmarks.Kernels;

/// <summary>Some rows times a packed matrix; one row is bound by memory, many by the products.</summary>
public sealed record PackedCase(int Rows, int Columns, string FormatName, WeightFormat Format, int Tokens)
    : KernelCase($"{Rows}x{Columns} {FormatName} m={Tokens}", Tokens == 1 ? Bound.Memory : Bound.Codes)
{
    /// <inheritdoc/>
    public override double Bytes => PackedMatrix.PanelBytes(Rows, new PanelShape(Form, Columns, Format.GroupSize, 8));

    // What packing finds in the values that PackedBenchmarks makes.
    private PackedForm Form => (Format.Encoding, Format.Offset, FormatName[1]) switch
    {
        (WeightEncoding.UInt4, GroupOffset.ZeroPoint, _) => PackedForm.Uniform4,
        (WeightEncoding.UInt4, _, _) => PackedForm.Affine4,
        (_, _, '6') => Format.GroupSize == 16 ? PackedForm.Halves6 : PackedForm.Symmetric6,
        _ => PackedForm.Symmetric8,
    };

    /// <inheritdoc/>
    public override double Operations => 2.0 * Tokens * Rows * Columns;
}
