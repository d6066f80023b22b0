namespace Portable.Backends.Cpu;

/// <summary>
/// A weight as the matrices it was stacked from: along the outputs each matrix writes its own columns, as experts each
/// takes its own rows.
/// </summary>
internal sealed class CpuWeight : DeviceWeight
{
    /// <summary>Takes ownership of the matrices.</summary>
    public CpuWeight(CpuDevice device, CpuMatrix[] parts, WeightStacking stacking, long bytes, Action release)
        : base(
            stacking == WeightStacking.Experts ? parts[0].Rows : parts.Sum(p => p.Rows), parts[0].Columns,
            stacking == WeightStacking.Experts ? parts.Length : 1, bytes, release)
    {
        Device = device;
        Parts = parts;
        IsExperts = stacking == WeightStacking.Experts;
    }

    /// <summary>The device that holds it.</summary>
    public CpuDevice Device { get; }

    /// <summary>The matrices, in the order given.</summary>
    public CpuMatrix[] Parts { get; }

    /// <summary>Whether the matrices are experts.</summary>
    public bool IsExperts { get; }

    /// <summary>Whether the memory has been given back.</summary>
    public bool IsDisposed { get; private set; }

    /// <inheritdoc/>
    protected override void Free()
    {
        IsDisposed = true;
        foreach (CpuMatrix part in Parts)
            part.Dispose();
    }
}
