namespace Portable.Conformance;

/// <summary>Everything that a device must pass.</summary>
public static class ConformanceChecks
{
    /// <summary>All checks, in order; their names are distinct.</summary>
    public static IReadOnlyList<Check> All { get; } =
    [
        .. LinearChecks.All(), .. NormChecks.All(), .. RopeChecks.All(), .. PagedAttentionChecks.All(), .. SegmentAttentionChecks.All(), .. RecurrentChecks.All(),
        .. ElementChecks.All(), .. FusedChecks.All(), .. DeviceChecks.All(), .. WeightImageChecks.All(), .. StreamChecks.All(), .. ArgumentChecks.All(),
    ];
}
