using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Portable;

/// <summary>
/// Chooses a device among the registered backends. Each backend is probed once. "auto" takes the usable one of highest
/// preference that can run the model and logs why others were passed over; a named backend is taken or refused.
/// Thread-safe.
/// </summary>
public sealed partial class BackendSelector
{
    /// <summary>The name that leaves the choice to the selector.</summary>
    public const string Auto = "auto";

    private readonly ILogger _logger;
    private readonly Lazy<IReadOnlyList<BackendCandidate>> _candidates;

    /// <summary>Creates the selector; nothing is probed yet.</summary>
    public BackendSelector(IEnumerable<IBackend> backends, ILogger<BackendSelector>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(backends);
        _logger = logger ?? NullLogger<BackendSelector>.Instance;
        IBackend[] registered = [.. backends.DistinctBy(b => b.Id).OrderByDescending(b => b.Preference).ThenBy(b => b.Id, StringComparer.Ordinal)];
        _candidates = new(() => [.. registered.Select(b => new BackendCandidate(b, b.Probe()))]);
    }

    /// <summary>All registered backends with what their probe found, in the order "auto" tries them.</summary>
    public IReadOnlyList<BackendCandidate> Candidates => _candidates.Value;

    /// <summary>Chooses a device.</summary>
    /// <param name="name">"auto", a backend's id, or a device's id such as "cpu:0".</param>
    /// <param name="options">How it will be opened.</param>
    /// <param name="model">What the model needs, or null when any device will do.</param>
    /// <exception cref="UnsupportedException">No device, or not the named one, can do it; the message says why for each.</exception>
    public SelectedDevice Select(string name, DeviceOptions options, ModelRequirements? model = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(options);
        bool isAuto = string.Equals(name, Auto, StringComparison.OrdinalIgnoreCase);
        var refusals = new List<string>();
        foreach (BackendCandidate candidate in Candidates)
        {
            IBackend backend = candidate.Backend;
            if (!isAuto && !IsNamed(name, backend.Id))
                continue;
            if (!candidate.Probe.IsUsable)
                Refuse(backend.Id, candidate.Probe.Reason);
            foreach (DeviceInfo device in candidate.Probe.Devices)
            {
                if (!isAuto && name.Contains(':', StringComparison.Ordinal) && !string.Equals(name, device.Id, StringComparison.OrdinalIgnoreCase))
                    continue;
                IReadOnlyList<UnmetRequirement> unmet = model is null ? [] : backend.GetCapabilities(device, options).Check(model);
                if (unmet.Count == 0)
                {
                    LogSelected(_logger, device.Id, device.Name);
                    return new(backend, device);
                }

                Refuse(device.Id, string.Join("; ", unmet.Take(4).Select(u => $"{u.Operator}: {u.Reason}"))
                    + (unmet.Count > 4 ? $"; and {unmet.Count - 4} more" : ""));
            }
        }

        if (refusals.Count == 0)
        {
            string known = string.Join(", ", Candidates.SelectMany(c => c.Probe.Devices.Select(d => d.Id).Prepend(c.Backend.Id)).Distinct());
            throw new UnsupportedException($"Backend '{name}'", known.Length == 0
                ? "no backend is registered; call AddCpuBackend() or another"
                : $"registered are {known}");
        }

        throw new UnsupportedException(isAuto ? "The model on any device" : $"The model on backend '{name}'", string.Join(" | ", refusals));

        void Refuse(string id, string reason)
        {
            refusals.Add($"{id}: {reason}");
            LogPassedOver(_logger, id, reason);
        }
    }

    private static bool IsNamed(string name, string id) =>
        string.Equals(name, id, StringComparison.OrdinalIgnoreCase)
        || (name.Length > id.Length && name[id.Length] == ':' && name.StartsWith(id, StringComparison.OrdinalIgnoreCase));

    [LoggerMessage(1, LogLevel.Information, "Selected device {Device} ({Name})")]
    private static partial void LogSelected(ILogger logger, string device, string name);

    [LoggerMessage(2, LogLevel.Information, "Passed over {Device}: {Reason}")]
    private static partial void LogPassedOver(ILogger logger, string device, string reason);
}

/// <summary>A registered backend and what its probe found.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Probe">What it found.</param>
public sealed record BackendCandidate(IBackend Backend, BackendProbe Probe);

/// <summary>The device chosen.</summary>
/// <param name="Backend">Its backend, which opens it.</param>
/// <param name="Device">The device.</param>
public sealed record SelectedDevice(IBackend Backend, DeviceInfo Device)
{
    /// <summary>Opens the device; the caller owns it.</summary>
    public Device Open(DeviceOptions options) => Backend.Open(Device, options);
}
