using System.CommandLine;
using System.Globalization;
using Portable.Decoding;

namespace Portable.Cli.Commands;

/// <summary>Measures prefill and decode on a prompt of random tokens, after one run of the same length that is not counted.</summary>
internal static class BenchCommand
{
    public static Command Create(CliConsole console)
    {
        var command = new Command("bench", "Measure prefill and decode speed, load time and peak memory.");
        var prompt = new Option<int>("--prompt") { Description = "Tokens of the prompt.", DefaultValueFactory = static _ => 512, HelpName = "n", CustomParser = static r => CommandOptions.Number(r, 1, 1 << 24) };
        var generate = new Option<int>("--generate") { Description = "Tokens to generate.", DefaultValueFactory = static _ => 64, HelpName = "n", CustomParser = static r => CommandOptions.Number(r, 2, 1 << 24) };
        var repeat = new Option<int>("--repeat") { Description = "Runs that are counted.", DefaultValueFactory = static _ => 3, HelpName = "n", CustomParser = static r => CommandOptions.Number(r, 1, 1000) };
        command.Add(prompt);
        command.Add(generate);
        command.Add(repeat);
        CommandOptions options = new CommandOptions().AddModel(command).AddSeed(command).AddJson(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            ModelSettings settings = options.Settings(parsed, options.ModelPath(parsed));
            int promptTokens = parsed.GetValue(prompt), outputTokens = parsed.GetValue(generate);
            settings = settings with { Context = settings.Context ?? promptTokens + outputTokens };
            BenchReport report = await MeasureAsync(
                console, settings, promptTokens, outputTokens, parsed.GetValue(repeat), options.Seed(parsed) ?? 0, cancellation).ConfigureAwait(false);
            if (options.IsJson(parsed))
                CliJson.Write(console, report, CliJson.Indented.BenchReport);
            else
                Write(console, report);
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<BenchReport> MeasureAsync(
        CliConsole console, ModelSettings settings, int promptTokens, int outputTokens, int repeats, long seed, CancellationToken cancellation)
    {
        await using ModelSession session = await ModelSession.LoadAsync(console, settings, cancellation).ConfigureAwait(false);
        PortableModel model = session.Model;
        if ((long)promptTokens + outputTokens > model.ContextTokens)
            throw new PromptTooLongException(promptTokens, Math.Max(0, model.ContextTokens - outputTokens), $"a context of {model.ContextTokens} tokens with {outputTokens} to generate");
        int[] vocabulary = [.. Enumerable.Range(0, model.Tokenizer.VocabularySize).Where(id => model.Tokenizer.TokenText(id) is not null && !model.Tokenizer.IsSpecial(id))];
        if (vocabulary.Length < 2)
            throw new InvalidModelException(model.Path, "tokenizer", "it has fewer than 2 ordinary tokens to make a prompt of");
        var random = new Random(unchecked((int)(seed ^ (seed >> 32))));
        int previous = -1;

        await RunAsync(promptTokens, outputTokens).ConfigureAwait(false);
        var prefill = new double[repeats];
        var decode = new double[repeats];
        for (int i = 0; i < repeats; i++)
        {
            Generation run = await RunAsync(promptTokens, outputTokens).ConfigureAwait(false);
            prefill[i] = promptTokens / run.PrefillTime.TotalSeconds;
            decode[i] = (run.OutputTokens - 1) / run.DecodeTime.TotalSeconds;
        }

        SpeedReport decodeSpeed = Speeds(decode);
        return new BenchReport(
            model.ModelId, model.Architecture, model.DeviceInfo.Id, CliJson.Name(model.Numerics),
            settings.Threads == 0 ? Environment.ProcessorCount : settings.Threads, promptTokens, outputTokens, repeats, seed,
            "one run of the same length, not counted",
            CliJson.Round(session.LoadTime.TotalSeconds), Speeds(prefill), decodeSpeed, ProcessMemory.Peak(),
            model.Plan.WeightBytes, CliJson.Round(model.Plan.WeightBytes * decodeSpeed.Median / 1e9));

        async Task<Generation> RunAsync(int length, int output)
        {
            var tokens = new int[length];
            for (int i = 0; i < length; i++)
                tokens[i] = vocabulary[random.Next(vocabulary.Length)];
            // Another first token than the run before: nothing of its KV cache can be reused.
            while (tokens[0] == previous)
                tokens[0] = vocabulary[random.Next(vocabulary.Length)];
            previous = tokens[0];
            Generation generation = model.Generate(
                new ModelPrompt(tokens), new GenerationOptions { MaxTokens = output, IgnoreEndTokens = true }, cancellation);
            await foreach (GeneratedToken _ in generation.ConfigureAwait(false))
            {
            }

            return generation;
        }
    }

    private static SpeedReport Speeds(double[] values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new SpeedReport(Math.Round(sorted[0], 2), Math.Round(median, 2), Math.Round(sorted[^1], 2));
    }

    private static void Write(CliConsole console, BenchReport report)
    {
        new Report("", "")
            .Add("Model", $"{report.Model} ({report.Architecture})")
            .Add("Device", $"{report.Device}, {report.Threads} threads, {report.Numerics} numerics")
            .Add("Runs", $"{report.Repeats} of {report.PromptTokens} random prompt tokens (seed {report.Seed}) and {report.GeneratedTokens} generated; warm-up: {report.WarmUp}")
            .Add("Load", string.Create(CultureInfo.InvariantCulture, $"{report.LoadSeconds:0.00} s"))
            .Add("Peak memory", Sizes.Text(report.PeakMemoryBytes))
            .Add("Weights", string.Create(CultureInfo.InvariantCulture, $"{Sizes.Text(report.WeightBytes)}; all of them once a token would be {report.WeightGigabytesPerSecond:0.0} GB/s"))
            .Write(console);
        console.Output.WriteLine();
        new Report("Tokens per second", "Min", "Median", "Max")
            .Add("Prefill", Number(report.PrefillTokensPerSecond.Min), Number(report.PrefillTokensPerSecond.Median), Number(report.PrefillTokensPerSecond.Max))
            .Add("Decode", Number(report.DecodeTokensPerSecond.Min), Number(report.DecodeTokensPerSecond.Median), Number(report.DecodeTokensPerSecond.Max))
            .Write(console);

        static string Number(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);
    }
}
