using Portable.Backends.Cpu;
using Portable.Testing.Foreign;

namespace Portable.Conformance;

/// <summary>The devices that the suite runs on.</summary>
public static class Leaves
{
    /// <summary>The device that is nothing like a CPU.</summary>
    public static Leaf Foreign { get; } = new("foreign", () => new ForeignBackend(), new DeviceOptions());

    /// <summary>The CPU with float32 activations and canonical weights.</summary>
    public static Leaf CpuReference { get; } = new("cpu-reference", () => new CpuBackend(), new DeviceOptions { Numerics = NumericMode.Reference, Threads = 2 });

    /// <summary>The CPU as it is by default.</summary>
    public static Leaf CpuFast { get; } = new("cpu-fast", () => new CpuBackend(), new DeviceOptions { Numerics = NumericMode.Fast, Threads = 2 });

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Leaf> All { get; } = [Foreign, CpuReference, CpuFast];
}
