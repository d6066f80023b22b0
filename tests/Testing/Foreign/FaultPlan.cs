namespace Portable.Testing.Foreign;

/// <summary>What an injected fault does.</summary>
public enum FaultKind
{
    /// <summary>The call fails with a <see cref="DeviceException"/>; the device lives on.</summary>
    Failure,

    /// <summary>The call fails and so does every later one: the device is lost.</summary>
    DeviceLost,

    /// <summary>The call fails with a <see cref="DeviceOutOfMemoryException"/>.</summary>
    OutOfMemory,

    /// <summary>
    /// Only for <see cref="ForeignCall.Execute"/>: the operator also writes a byte past the end of its output, so that
    /// the guard zones have something to find.
    /// </summary>
    StrayWrite,
}

/// <summary>
/// Which calls of a foreign device fail, counted over all devices of the backend that the plan was given to.
/// Thread-safe. Faults may be added at any time.
/// </summary>
public sealed class FaultPlan
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(ForeignCall Call, long Number), FaultKind> _faults = [];
    private readonly long[] _calls = new long[Enum.GetValues<ForeignCall>().Length];

    /// <summary>Fails a call.</summary>
    /// <param name="call">Which call.</param>
    /// <param name="number">Its number from 1, counted from the start; to fail the next one, pass <see cref="Calls"/> + 1.</param>
    /// <param name="kind">How it fails.</param>
    public FaultPlan Fail(ForeignCall call, long number, FaultKind kind = FaultKind.Failure)
    {
        if (kind == FaultKind.StrayWrite && call != ForeignCall.Execute)
            throw new ArgumentException("only an operator that runs can write astray", nameof(kind));
        lock (_lock)
            _faults[(call, number)] = kind;
        return this;
    }

    /// <summary>Fails the next call of a kind.</summary>
    public FaultPlan FailNext(ForeignCall call, FaultKind kind = FaultKind.Failure) => Fail(call, Calls(call) + 1, kind);

    /// <summary>How often a call has been made, failed ones included.</summary>
    public long Calls(ForeignCall call)
    {
        lock (_lock)
            return _calls[(int)call];
    }

    internal FaultKind? Count(ForeignCall call)
    {
        lock (_lock)
            return _faults.TryGetValue((call, ++_calls[(int)call]), out FaultKind kind) ? kind : null;
    }
}
