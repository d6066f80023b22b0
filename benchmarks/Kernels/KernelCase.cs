namespace Portable.Benchmarks.Kernels;

/// <summary>What bounds a kernel.</summary>
public enum Bound
{
    /// <summary>Memory read once.</summary>
    Memory,

    /// <summary>Multiply-adds of packed codes in the first-level cache.</summary>
    Codes,

    /// <summary>Multiply-adds of float32 in registers.</summary>
    Floats,
}

/// <summary>One measurement of a kernel: what a call reads and computes, and what bounds it.</summary>
public abstract record KernelCase(string Name, Bound Bound)
{
    /// <summary>Bytes of weights, or of keys and values, that a call reads from memory.</summary>
    public abstract double Bytes { get; }

    /// <summary>Operations of a call, 2 for a multiply-add.</summary>
    public abstract double Operations { get; }

    /// <summary>The name, as the table shows it.</summary>
    public sealed override string ToString() => Name;
}
