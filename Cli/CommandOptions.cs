using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Microsoft.Extensions.AI;

namespace Portable.Cli;

/// <summary>The options that commands have in common, each declared once.</summary>
internal sealed class CommandOptions
{
    public const string ModelVariable = "PORTABLE_MODEL";

    private readonly Option<string?> _model = new("--model", "-m")
    {
        Description = $"Model folder or GGUF file; else {ModelVariable}.", HelpName = "path",
    };

    private readonly Option<string?> _backend = new("--backend")
    {
        Description = $"Backend or device that computes ('cpu', 'cpu:0'); else {PortableOptions.BackendVariable}; else 'auto'.", HelpName = "name",
    };

    private readonly Option<int> _threads = new("--threads") { Description = "Threads on the CPU; 0 is all cores.", HelpName = "n" };

    private readonly Option<string> _numerics = new("--numerics")
    {
        Description = "'fast' or 'reference' (float32 throughout, slower).", DefaultValueFactory = static _ => "fast", HelpName = "mode",
    };

    private readonly Option<int?> _context = new("--context") { Description = "Tokens of prompt and answer that fit together.", HelpName = "n" };

    private readonly Option<long?> _memory = new("--memory")
    {
        Description = "Bytes that the model may take: 800M, 4GiB.", HelpName = "size", CustomParser = ParseSize,
    };

    private readonly Option<int?> _maxTokens = new("--max-tokens") { Description = "Longest answer in tokens.", HelpName = "n" };

    private readonly Option<float?> _temperature = new("--temperature") { Description = "0 (the default) takes the likeliest token; higher varies more.", HelpName = "t" };

    private readonly Option<long?> _seed = new("--seed") { Description = "Repeats the same draws at a temperature above 0.", HelpName = "n" };

    private readonly Option<string?> _system = new("--system") { Description = "System message.", HelpName = "text" };

    private readonly Option<bool> _stats = new("--stats") { Description = "Write tokens and speeds to stderr after each answer." };

    private readonly Option<bool> _json = new("--json") { Description = "Write JSON instead of text." };

    public CommandOptions()
    {
        _numerics.AcceptOnlyFromAmong("fast", "reference");
        AtLeast(_threads, 0, 1024);
        AtLeast(_context, 2, int.MaxValue);
        AtLeast(_maxTokens, 1, int.MaxValue);
        _temperature.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1 && float.TryParse(result.Tokens[0].Value, out float value) && value is not (>= 0 and <= 100))
                result.AddError($"--temperature: expected 0 to 100, found {value}.");
        });
    }

    /// <summary>Adds the options that choose and place a model.</summary>
    public CommandOptions AddModel(Command command, bool named = true)
    {
        if (named)
            command.Add(_model);
        command.Add(_backend);
        command.Add(_threads);
        command.Add(_numerics);
        command.Add(_context);
        command.Add(_memory);
        return this;
    }

    /// <summary>Adds only the option that names a model.</summary>
    public CommandOptions AddModelPath(Command command)
    {
        command.Add(_model);
        return this;
    }

    /// <summary>Adds the options of an answer.</summary>
    public CommandOptions AddAnswer(Command command)
    {
        command.Add(_maxTokens);
        command.Add(_temperature);
        command.Add(_seed);
        command.Add(_system);
        command.Add(_stats);
        return this;
    }

    /// <summary>Adds --seed alone.</summary>
    public CommandOptions AddSeed(Command command)
    {
        command.Add(_seed);
        return this;
    }

    /// <summary>Adds --json.</summary>
    public CommandOptions AddJson(Command command)
    {
        command.Add(_json);
        return this;
    }

    public bool IsJson(ParseResult parsed) => parsed.GetValue(_json);

    public bool ShowsStats(ParseResult parsed) => parsed.GetValue(_stats);

    public long? Seed(ParseResult parsed) => parsed.GetValue(_seed);

    public string? System(ParseResult parsed) => parsed.GetValue(_system);

    /// <summary>The path of the model, which must be named somewhere.</summary>
    public string ModelPath(ParseResult parsed)
    {
        string? path = parsed.GetValue(_model);
        if (path is null && Environment.GetEnvironmentVariable(ModelVariable) is { Length: > 0 } variable)
            path = variable;
        if (string.IsNullOrWhiteSpace(path))
            throw new UsageException($"No model is named: give --model PATH (a model folder or a GGUF file) or set {ModelVariable}.");
        return path;
    }

    public ModelSettings Settings(ParseResult parsed, string path) => new(
        path,
        parsed.GetValue(_backend) ?? (Environment.GetEnvironmentVariable(PortableOptions.BackendVariable) is { Length: > 0 } variable ? variable : BackendSelector.Auto),
        parsed.GetValue(_threads),
        parsed.GetValue(_numerics) == "reference" ? NumericMode.Reference : NumericMode.Fast,
        parsed.GetValue(_context),
        parsed.GetValue(_memory));

    public ChatOptions Answer(ParseResult parsed) => new()
    {
        MaxOutputTokens = parsed.GetValue(_maxTokens),
        Temperature = parsed.GetValue(_temperature),
        Seed = parsed.GetValue(_seed),
    };

    /// <summary>Refuses numbers outside a range; what is no number is refused when it is parsed.</summary>
    public static void AtLeast<T>(Option<T> option, int least, int most) => option.Validators.Add(result =>
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int value) && (value < least || value > most))
            result.AddError($"{option.Name}: expected {(most == int.MaxValue ? $"{least} or more" : $"{least} to {most}")}, found {value}.");
    });

    private static long? ParseSize(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (Sizes.TryParse(text, CultureInfo.InvariantCulture, out long bytes))
            return bytes;
        result.AddError($"--memory: '{Shorten(text)}' is no size; expected bytes, or a number with K, M or G (powers of 1024), such as 4G.");
        return null;
    }

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..39] + "…";
}

/// <summary>Which model a command works with, and how it is to run.</summary>
internal sealed record ModelSettings(string Path, string Backend, int Threads, NumericMode Numerics, int? Context, long? Memory);
