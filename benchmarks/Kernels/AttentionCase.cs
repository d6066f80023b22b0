namespace Portable.Benchmarks.Kernels;

/// <summary>The last tokens of a context attending to all of it, with Qwen2.5-1.5B's heads and keys and values of 16 bits.</summary>
public sealed record AttentionCase(int Context, int Tokens) : KernelCase($"context {Context} m={Tokens}", Tokens == 1 ? Bound.Memory : Bound.Floats)
{
    /// <summary>Query heads.</summary>
    public const int Heads = 12;

    /// <summary>Heads of keys and values.</summary>
    public const int KeyHeads = 2;

    /// <summary>Elements of a head.</summary>
    public const int HeadSize = 128;

    /// <inheritdoc/>
    public override double Bytes => 2.0 * sizeof(short) * KeyHeads * HeadSize * Context;

    /// <inheritdoc/>
    public override double Operations => 4.0 * Heads * HeadSize * Tokens * (Context - ((Tokens - 1) / 2.0));
}
