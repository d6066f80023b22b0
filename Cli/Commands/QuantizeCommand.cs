using System.CommandLine;
using System.Globalization;
using Portable.Quantization;
using Spectre.Console;

namespace Portable.Cli.Commands;

/// <summary>Writes a 4-bit copy of a 16-bit model folder.</summary>
internal static class QuantizeCommand
{
    public static Command Create(CliConsole console)
    {
        var command = new Command("quantize", "Write a 4-bit copy of a 16-bit Hugging Face folder, in AutoAWQ's layout.");
        var model = new Argument<string>("model") { Description = "The folder of the 16-bit model." };
        var output = new Option<string>("--output", "-o") { Description = "The folder to make.", Required = true, HelpName = "folder" };
        var group = new Option<int>("--group-size")
        {
            Description = "Inputs that share a scale: 32, 64 or 128.", DefaultValueFactory = static _ => 128, HelpName = "n", CustomParser = static r => CommandOptions.Number(r, 32, 128),
        };
        var vision = new Option<bool>("--include-vision") { Description = "Quantise the vision tower's linear layers too." };
        command.Add(model);
        command.Add(output);
        command.Add(group);
        command.Add(vision);
        CommandOptions options = new CommandOptions().AddJson(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var wanted = new QuantizeOptions { GroupSize = parsed.GetValue(group), IncludesVision = parsed.GetValue(vision) };
            QuantizeSummary summary = await RunAsync(console, parsed.GetValue(model)!, parsed.GetValue(output)!, wanted, cancellation).ConfigureAwait(false);
            if (options.IsJson(parsed))
                CliJson.Write(console, new QuantizeReport(summary.Path, summary.Matrices, summary.QuantizedWeights, summary.KeptTensors, summary.BytesBefore, summary.BytesAfter, summary.Left), CliJson.Indented.QuantizeReport);
            else
                Write(console, summary, wanted);
            return ExitCode.Done;
        });
        return command;
    }

    private static Task<QuantizeSummary> RunAsync(CliConsole console, string model, string output, QuantizeOptions options, CancellationToken cancellation)
    {
        Task<QuantizeSummary> Start(IProgress<QuantizeProgress>? progress) =>
            Task.Run(() => CheckpointQuantizer.Quantize(model, output, options, progress, cancellation), CancellationToken.None);

        return !console.IsErrorTerminal
            ? Start(null)
            : console.StyledError.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(context =>
                {
                    ProgressTask bar = context.AddTask("Quantising", maxValue: 1);
                    return Start(new Shown(bar));
                });
    }

    private static void Write(CliConsole console, QuantizeSummary summary, QuantizeOptions options) => new Report("", "")
        .Add("Folder", summary.Path)
        .Add("Matrices", string.Create(CultureInfo.InvariantCulture, $"{summary.Matrices} of 4 bits in groups of {options.GroupSize}, {summary.QuantizedWeights:N0} weights"))
        .Add("Kept as they were", string.Create(CultureInfo.InvariantCulture, $"{summary.KeptTensors} tensors{(summary.Left.Count == 0 ? "" : $", among them the linear layers of {string.Join(", ", summary.Left.Take(8))}{(summary.Left.Count > 8 ? ", …" : "")}")}"))
        .Add("Size", string.Create(CultureInfo.InvariantCulture, $"{Sizes.Text(summary.BytesBefore)} before, {Sizes.Text(summary.BytesAfter)} now"))
        .Write(console);

    private sealed class Shown(ProgressTask bar) : IProgress<QuantizeProgress>
    {
        public void Report(QuantizeProgress value)
        {
            bar.Description = Markup.Escape(value.Module);
            bar.Value = value.Fraction;
        }
    }
}
