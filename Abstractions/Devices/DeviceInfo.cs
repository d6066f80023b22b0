namespace Portable;

/// <summary>One device that a backend found.</summary>
/// <param name="Backend">The backend's id, such as "cpu".</param>
/// <param name="Index">The device's number within its backend, from 0.</param>
/// <param name="Name">What a person calls it: the processor's or card's name.</param>
/// <param name="TotalMemoryBytes">Its memory.</param>
/// <param name="Details">More for a person: instruction sets, driver version, cores. Order is kept.</param>
public sealed record DeviceInfo(
    string Backend,
    int Index,
    string Name,
    long TotalMemoryBytes,
    IReadOnlyList<KeyValuePair<string, string>> Details)
{
    /// <summary>Backend and number, "cpu:0".</summary>
    public string Id => $"{Backend}:{Index}";
}
