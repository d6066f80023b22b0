using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Portable.Decoding;
using Spectre.Console;

namespace Portable.Cli.Commands;

/// <summary>Writes an engine file: a model packed for a device, which starts at once.</summary>
internal static class BuildCommand
{
    public static Command Create(CliConsole console)
    {
        var command = new Command("build", "Pack a model for this device into one file that starts at once.");
        var model = new Argument<string>("model") { Description = "The model folder or GGUF file." };
        var output = new Option<string>("--output", "-o") { Description = "The engine file to make; one that is there is replaced.", Required = true, HelpName = "file" };
        command.Add(model);
        command.Add(output);
        CommandOptions options = new CommandOptions().AddDevice(command).AddJson(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            string path = parsed.GetValue(model)!, file = parsed.GetValue(output)!;
            if (path.Length == 0 || string.IsNullOrWhiteSpace(file))
                throw new UsageException("The path of the model or of the output is empty.");
            EngineSummary summary = await RunAsync(console, options.Settings(parsed, path), file, cancellation).ConfigureAwait(false);
            if (options.IsJson(parsed))
                CliJson.Write(console, new BuildReport(summary.Path, summary.Layout, summary.Device.Id, summary.Weights, summary.Bytes, summary.SourceBytes), CliJson.Indented.BuildReport);
            else
                Write(console, summary);
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<EngineSummary> RunAsync(CliConsole console, ModelSettings settings, string output, CancellationToken cancellation)
    {
        await using ServiceProvider services = ModelSession.Compose(settings);
        Task<EngineSummary> Start(IProgress<LoadProgress>? progress) => EngineBuilder.BuildAsync(
            ModelSession.Options(settings), output, services.GetRequiredService<BackendSelector>(), services.GetRequiredService<IOptions<PortableOptions>>().Value,
            services.GetServices<IImageEncoderFactory>(), progress, cancellation);

        return !console.IsErrorTerminal
            ? await Start(null).ConfigureAwait(false)
            : await console.StyledError.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(context => Start(new Shown(context.AddTask("Packing", maxValue: 1)))).ConfigureAwait(false);
    }

    private static void Write(CliConsole console, EngineSummary summary) => new Report("", "")
        .Add("Engine file", summary.Path)
        .Add("Size", string.Create(CultureInfo.InvariantCulture, $"{Sizes.Text(summary.Bytes)}, from {Sizes.Text(summary.SourceBytes)} of tensors"))
        .Add("Weights", string.Create(CultureInfo.InvariantCulture, $"{summary.Weights}, packed by {summary.Device.Id} as \"{summary.Layout}\""))
        .Add("Try it", $"portable ask \"…\" --model \"{summary.Path}\"")
        .Write(console);

    private sealed class Shown(ProgressTask bar) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => bar.Value = value.Fraction;
    }
}
