using System.Runtime.Intrinsics;

namespace Portable.Conformance;

/// <summary>The widest vectors that hardware gives this process, the switches of the runtime included.</summary>
public static class VectorTier
{
    /// <summary>512, 256, 128, or 0 for scalar code only.</summary>
    public static int Current { get; } =
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0;
}
