using Portable.Backends.Cpu;

namespace Portable.Benchmarks.Kernels;

/// <summary>Some rows times a packed matrix; one row is bound by memory, many by the products.</summary>
public sealed record PackedCase(int Rows, int Columns, string FormatName, WeightFormat Format, int Tokens)
    : KernelCase($"{Rows}x{Columns} {FormatName} m={Tokens}", Tokens == 1 ? Bound.Memory : Bound.Codes)
{
    /// <inheritdoc/>
    public override double Bytes => PackedMatrix.PackedBytes(Rows, Columns, Format);

    /// <inheritdoc/>
    public override double Operations => 2.0 * Tokens * Rows * Columns;
}
