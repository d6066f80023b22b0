using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;

namespace Portable.Cli.Commands;

/// <summary>What this machine offers: processor, memory, and each backend with the reason why it is or isn't usable.</summary>
internal static class DoctorCommand
{
    public static Command Create(CliConsole console)
    {
        var command = new Command("doctor", "Show what this machine offers and which backends are usable.");
        CommandOptions options = new CommandOptions().AddJson(command);
        command.SetAction(parsed =>
        {
            DoctorReport report = Examine();
            if (options.IsJson(parsed))
                CliJson.Write(console, report, CliJson.Indented.DoctorReport);
            else
                Write(console, report);
            return report.Backends.Any(static b => b.IsUsable) ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static DoctorReport Examine()
    {
        using ServiceProvider services = ModelSession.Compose(new ModelSettings("", null, BackendSelector.Auto, 0, NumericMode.Fast, null, null, null));
        BackendSelector selector = services.GetRequiredService<BackendSelector>();
        return new DoctorReport(
            typeof(DoctorCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
            RuntimeInformation.OSArchitecture.ToString(),
            RuntimeInformation.OSDescription,
            RuntimeInformation.FrameworkDescription,
            Environment.ProcessorCount,
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            ProcessMemory.Available(),
            [.. selector.Candidates.Select(static c => new BackendReport(
                c.Backend.Id,
                c.Probe.IsUsable,
                c.Probe.Reason,
                [.. c.Probe.Devices.Select(static d => new DeviceReport(d.Id, d.Name, d.TotalMemoryBytes, Details(d)))]))]);
    }

    private static SortedList<string, string> Details(DeviceInfo device)
    {
        var details = new SortedList<string, string>(StringComparer.Ordinal);
        foreach ((string key, string value) in device.Details)
            details[key] = value;
        return details;
    }

    private static void Write(CliConsole console, DoctorReport report)
    {
        new Report("", "")
            .Add("Portable", report.Version)
            .Add("Machine", $"{report.Machine}, {report.Cores.ToString(CultureInfo.InvariantCulture)} cores")
            .Add("System", report.OperatingSystem)
            .Add(".NET", report.Runtime)
            .Add("Memory", $"{Sizes.Text(report.MemoryBytes)}, {Sizes.Text(report.AvailableMemoryBytes)} available")
            .Write(console);
        console.Output.WriteLine();
        var backends = new Report("Backend", "Usable", "Why");
        foreach (BackendReport backend in report.Backends)
            backends.Add(backend.Id, backend.IsUsable ? "yes" : "no", backend.Reason);
        backends.Write(console);
        foreach (DeviceReport device in report.Backends.SelectMany(static b => b.Devices))
        {
            console.Output.WriteLine();
            var facts = new Report("", "").Add("Device", device.Id).Add("Name", device.Name).Add("Memory", Sizes.Text(device.MemoryBytes));
            foreach ((string key, string value) in device.Details)
                facts.Add(key, value);
            facts.Write(console);
        }
    }
}
