using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Tokenization;

namespace Portable.Cli.Commands;

/// <summary>Describes a model's files without loading it; a sound file of an unknown architecture is described too.</summary>
internal static class InspectCommand
{
    public static Command Create(CliConsole console)
    {
        var command = new Command("inspect", "Describe a model: a folder, a GGUF file or one of its parts, a .safetensors file, an engine file.");
        var path = new Argument<string>("model") { Description = "The folder or file." };
        var tensors = new Option<bool>("--tensors") { Description = "List every tensor." };
        var verify = new Option<bool>("--verify") { Description = "Compare an engine file's contents with the hashes in it." };
        command.Add(path);
        command.Add(tensors);
        command.Add(verify);
        CommandOptions options = new CommandOptions().AddModel(command, named: false).AddJson(command);
        command.SetAction((parsed, cancellation) =>
        {
            string model = parsed.GetValue(path)!;
            if (model.Length == 0)
                throw new UsageException("The model's path is empty.");
            InspectReport report = Describe(options.Settings(parsed, model), parsed.GetValue(tensors), parsed.GetValue(verify), cancellation, out PortableException? broken);
            if (options.IsJson(parsed))
                CliJson.Write(console, report, CliJson.Indented.InspectReport);
            else
                Write(console, report);
            return broken is null ? Task.FromResult(ExitCode.Done) : throw broken;
        });
        return command;
    }

    /// <param name="settings">The model, and how it would be run.</param>
    /// <param name="listsTensors">Whether the report holds each tensor.</param>
    /// <param name="verifies">Whether the contents of an engine file are compared with their hashes.</param>
    /// <param name="cancellation">Cancels that.</param>
    /// <param name="broken">
    /// What makes a model folder unusable although its weights are sound: another file that is broken, or tensors that
    /// the config asks for and nobody has. Files without a config may well be a part or a fragment.
    /// </param>
    private static InspectReport Describe(ModelSettings settings, bool listsTensors, bool verifies, CancellationToken cancellation, out PortableException? broken)
    {
        broken = null;
        using ServiceProvider services = ModelSession.Compose(settings);
        using Checkpoint checkpoint = ModelFiles.Open(ModelSession.Options(settings), services.GetServices<IImageEncoderFactory>());
        if (verifies && checkpoint.Engine is null)
            throw new UsageException("--verify compares an engine file with its hashes; the other kinds carry none.");
        if (verifies)
            checkpoint.Verify(cancellation);
        CheckpointSummary summary = checkpoint.Summarize();

        Tokenizer? tokenizer = Try(() => ModelFiles.ReadTokenizer(checkpoint), out PortableException? tokenizerError);
        bool hasTokenizer = checkpoint.Kind == CheckpointKind.HuggingFace && checkpoint.TryReadFile("tokenizer.json", out _);
        if (hasTokenizer && tokenizerError is InvalidModelException)
            broken = tokenizerError;
        bool hasTemplate = Try(() => ModelFiles.ReadTemplate(checkpoint), out PortableException? templateError) is not null;
        if (checkpoint.Kind == CheckpointKind.HuggingFace && templateError is InvalidModelException)
            broken ??= templateError;

        MemoryPlan? plan;
        PortableException? planError;

        // A device may be named that does not exist: a mistake of the caller's, not a property of the model.
        BackendSelector selector = services.GetRequiredService<BackendSelector>();
        selector.Select(settings.Backend, new DeviceOptions { Numerics = settings.Numerics, Threads = settings.Threads, MemoryBudgetBytes = settings.Memory });
        plan = Try(
            () => PortableModel.PlanMemory(
                ModelSession.Options(settings), selector,
                services.GetRequiredService<Microsoft.Extensions.Options.IOptions<PortableOptions>>().Value, services.GetServices<IImageEncoderFactory>()),
            out planError);

        if (checkpoint.Config is not null && planError is InvalidModelException)
            broken ??= planError;
        return new InspectReport(
            settings.Path,
            checkpoint.Engine is not null ? "engine" : summary.Kind switch { CheckpointKind.Gguf => "gguf", CheckpointKind.HuggingFace => "folder", _ => "safetensors" },
            checkpoint.Engine is { } engine ? new EngineReport(engine.Producer, engine.Layout, engine.Source, engine.RebuildCommand, engine.Weights, verifies ? true : null) : null,
            summary.Architecture,
            summary.Name,
            summary.Quantization,
            summary.Parameters,
            summary.TensorCount,
            summary.Bytes,
            ContextOf(checkpoint),
            ModelParts.Of(checkpoint),
            [.. summary.Types.Select(static t => new TypeReport(t.Type, t.TensorCount, t.Bytes))],
            summary.Files,
            new TextReport(tokenizer?.VocabularySize, tokenizer?.AddedTokens.Count, tokenizerError?.Message, hasTemplate, templateError?.Message),
            new RunReport(
                plan is not null,
                planError?.Message,
                CliJson.Name(settings.Numerics),
                plan is null ? null : new MemoryReport(
                    plan.WeightBytes, plan.KvBytesPerToken, plan.KvBytes, plan.VisionBytes, plan.WorkspaceBytes, plan.TotalBytes, plan.BudgetBytes, plan.ContextTokens, plan.Fits)),
            listsTensors ? [.. checkpoint.Tensors.Select(static t => new TensorReport(t.Name, t.Type, t.Shape, t.Bytes, t.File))] : null);
    }

    /// <summary>The longest context that the files say the model was made for; null where they say nothing.</summary>
    private static int? ContextOf(Checkpoint checkpoint)
    {
        if (checkpoint.Metadata is { } metadata)
        {
            return metadata.TryGetString("general.architecture", out string? architecture) && metadata.TryGetInt32(architecture + ".context_length", out int length) && length > 0
                ? length : null;
        }

        if (checkpoint.Config is not { } config)
            return null;
        foreach (string section in (string[])["", "text_config", "llm_config"])
        {
            if ((section.Length == 0 || config.TryGetProperty(section, out _))
                && (section.Length == 0 ? config : config.GetProperty(section)) is { ValueKind: System.Text.Json.JsonValueKind.Object } of
                && of.TryGetProperty("max_position_embeddings", out System.Text.Json.JsonElement value)
                && value.ValueKind == System.Text.Json.JsonValueKind.Number && value.TryGetInt32(out int tokens) && tokens > 0)
                return tokens;
        }

        return null;
    }

    private static T? Try<T>(Func<T?> read, out PortableException? error) where T : class
    {
        error = null;
        try
        {
            return read();
        }
        catch (PortableException found)
        {
            error = found;
            return null;
        }
    }

    private static void Write(CliConsole console, InspectReport report)
    {
        var facts = new Report("", "")
            .Add("Model", report.Path)
            .Add("Format", report.Kind switch { "gguf" => "GGUF", "engine" => "engine file", "folder" => "folder with safetensors", _ => "safetensors" })
            .Add("Architecture", report.Architecture ?? "not stated");
        if (report.Engine is { } engine)
        {
            facts.Add("Written by", engine.Producer)
                .Add("Layout", $"\"{engine.Layout}\", {engine.Weights} packed weights")
                .Add("Built from", engine.Source)
                .Add("Build again", engine.RebuildCommand)
                .Add("Contents", engine.IsVerified == true ? "as written (every hash agrees)" : "not compared with their hashes (--verify does)");
        }

        if (report.Name is { Length: > 0 } name)
            facts.Add("Name", name);
        facts.Add("Quantisation", report.Quantization ?? "none")
            .Add("Parameters", report.Parameters.ToString("N0", CultureInfo.InvariantCulture))
            .Add("Context", report.ContextTokens is { } context ? $"{context.ToString("N0", CultureInfo.InvariantCulture)} tokens" : "not stated")
            .Add("Tensors", $"{report.TensorCount} in {report.Files.Count} {(report.Files.Count == 1 ? "file" : "files")}, {Sizes.Text(report.Bytes)}")
            .Add("Tokens", report.Text.VocabularySize is { } size ? $"{size} in the vocabulary, {report.Text.AddedTokens} added" : $"unknown: {report.Text.TokenizerProblem}")
            .Add("Chat template", report.Text.HasChatTemplate ? "yes" : report.Text.ChatTemplateProblem is { } problem ? $"not usable: {problem}" : "no")
            .Add("Numerics", report.Run.Numerics == "fast" ? "fast (what the device likes best: int8 activations on a CPU)" : "reference (float32)");
        if (report.Run.Memory is { } memory)
        {
            facts.Add("Runs here", memory.Fits ? "yes" : "no: it does not fit the memory budget")
                .Add("Memory", $"{Sizes.Text(memory.TotalBytes)} of {Sizes.Text(memory.BudgetBytes)}: weights {Sizes.Text(memory.WeightBytes)}, KV cache {Sizes.Text(memory.KvBytes)} for {memory.ContextTokens} tokens, vision {Sizes.Text(memory.VisionBytes)}, workspace {Sizes.Text(memory.WorkspaceBytes)}");
        }
        else
        {
            facts.Add("Runs here", $"no: {report.Run.Problem}");
        }

        facts.Write(console);
        console.Output.WriteLine();
        var parts = new Report("Part", "Tensors", "Weights", "Size", "Bits a weight");
        foreach (PartReport part in report.Parts)
        {
            parts.Add(
                part.Part, part.Tensors.ToString(CultureInfo.InvariantCulture), part.Parameters.ToString("N0", CultureInfo.InvariantCulture), Sizes.Text(part.Bytes),
                part.BitsPerWeight?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-");
        }

        parts.Write(console);
        console.Output.WriteLine();
        var types = new Report("Type", "Tensors", "Size");
        foreach (TypeReport type in report.Types)
            types.Add(type.Type, type.Tensors.ToString(CultureInfo.InvariantCulture), Sizes.Text(type.Bytes));
        types.Write(console);
        if (report.Tensors is null)
            return;
        console.Output.WriteLine();
        var tensors = new Report("Tensor", "Type", "Shape", "Size");
        foreach (TensorReport tensor in report.Tensors)
            tensors.Add(tensor.Name, tensor.Type, $"[{string.Join(", ", tensor.Shape)}]", Sizes.Text(tensor.Bytes));
        tensors.Write(console);
    }
}
