namespace Portable;

/// <summary>How the parts given to <see cref="Device.LoadWeight"/> belong together.</summary>
public enum WeightStacking
{
    /// <summary>Parts follow each other along the outputs: one matrix of sum(rows) outputs, such as q, k and v.</summary>
    Outputs,

    /// <summary>Parts are experts of equal shape; <see cref="CommandStream.Linear"/> takes them with expert groups.</summary>
    Experts,
}

/// <summary>
/// Weights in a device's own layout, made by <see cref="Device.LoadWeight"/>. Immutable. Disposing gives the memory
/// back; every stream that uses it must have been synchronised.
/// </summary>
public abstract class DeviceWeight : IDisposable
{
    private readonly Action? _release;
    private int _disposed;

    /// <summary>Creates the handle.</summary>
    protected DeviceWeight(int rows, int columns, int experts, long bytes, Action? release)
    {
        Rows = rows;
        Columns = columns;
        Experts = experts;
        Bytes = bytes;
        _release = release;
    }

    /// <summary>Outputs N, of one expert.</summary>
    public int Rows { get; }

    /// <summary>Inputs K.</summary>
    public int Columns { get; }

    /// <summary>Number of experts; 1 for an ordinary matrix.</summary>
    public int Experts { get; }

    /// <summary>Device memory taken.</summary>
    public long Bytes { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        Free();
        _release?.Invoke();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the device memory; called once.</summary>
    protected abstract void Free();
}
