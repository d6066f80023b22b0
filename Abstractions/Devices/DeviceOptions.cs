namespace Portable;

/// <summary>How a device is opened.</summary>
public sealed record DeviceOptions
{
    /// <summary>How it computes.</summary>
    public NumericMode Numerics { get; init; } = NumericMode.Fast;

    /// <summary>Host threads that a device computing on the host may use; 0 lets it choose. Results do not depend on it.</summary>
    public int Threads { get; init; }

    /// <summary>Bytes that weights, KV cache, vision and workspace may take together; null lets the device choose.</summary>
    public long? MemoryBudgetBytes { get; init; }
}
