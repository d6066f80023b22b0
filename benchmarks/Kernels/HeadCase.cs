namespace Portable.Benchmarks.Kernels;

/// <summary>One row times a large matrix of 16-bit weights, as a language model's head is.</summary>
public sealed record HeadCase(WeightEncoding Encoding) : KernelCase($"{Rows}x{Columns} {Encoding} m=1", Bound.Memory)
{
    /// <summary>Outputs.</summary>
    public const int Rows = 65536;

    /// <summary>Inputs.</summary>
    public const int Columns = 1536;

    /// <inheritdoc/>
    public override double Bytes => 2.0 * Rows * Columns;

    /// <inheritdoc/>
    public override double Operations => 2.0 * Rows * Columns;
}
