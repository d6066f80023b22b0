using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using Microsoft.Extensions.AI;

namespace Portable.Cli;

/// <summary>The options that commands have in common, each declared once.</summary>
internal sealed class CommandOptions
{
    public const string ModelVariable = "PORTABLE_MODEL";

    private const string Fast = "fast";
    private const string Reference = "reference";

    private readonly Option<string?> _model = new("--model", "-m")
    {
        Description = $"Model folder, GGUF file or engine file; else {ModelVariable}; else the built-in model.", HelpName = "path",
    };

    private readonly Option<string?> _projector = new("--mmproj")
    {
        Description = "The projector file with a GGUF model's vision part; else the one beside it.", HelpName = "path",
    };

    private readonly Option<string?> _backend = new("--backend")
    {
        Description = $"Backend or device that computes ('cpu', 'cpu:0'); else {PortableOptions.BackendVariable}; else 'auto'.", HelpName = "name",
    };

    private readonly Option<int> _threads = new("--threads")
    {
        Description = "Threads on the CPU; 0 is all cores.", HelpName = "n", CustomParser = static r => Number(r, 0, 1024),
    };

    private readonly Option<string> _numerics = new("--numerics")
    {
        Description = "'fast' or 'reference' (float32 throughout, slower).", DefaultValueFactory = static _ => Fast, HelpName = "mode", CustomParser = ParseNumerics,
    };

    private readonly Option<int?> _context = new("--context")
    {
        Description = "Tokens of prompt and answer that fit together.", HelpName = "n", CustomParser = static r => Number(r, 2, int.MaxValue),
    };

    private readonly Option<int?> _headBits = new("--head-bits")
    {
        Description = "Round the output matrix to 4 or 6 bits: faster, and a little less exact.", HelpName = "n", CustomParser = ParseHeadBits,
    };

    private readonly Option<long?> _memory = new("--memory")
    {
        Description = "Bytes that the model may take: 800M, 4GiB.", HelpName = "size", CustomParser = ParseSize,
    };

    private readonly Option<int?> _maxTokens = new("--max-tokens")
    {
        Description = "Longest answer in tokens.", HelpName = "n", CustomParser = static r => Number(r, 1, int.MaxValue),
    };

    private readonly Option<float?> _temperature = new("--temperature")
    {
        Description = "0 (the default) takes the likeliest token; higher varies more.", HelpName = "t", CustomParser = static r => Number(r, 0f, 100f),
    };

    private readonly Option<long?> _seed = new("--seed")
    {
        Description = "Repeats the same draws at a temperature above 0.", HelpName = "n", CustomParser = static r => Number(r, long.MinValue, long.MaxValue),
    };

    private readonly Option<string?> _system = new("--system") { Description = "System message.", HelpName = "text" };

    private readonly Option<bool> _stats = new("--stats") { Description = "Write tokens and speeds to stderr after each answer." };

    private readonly Option<bool> _json = new("--json") { Description = "Write JSON instead of text." };

    /// <summary>Adds the options that choose and place a model.</summary>
    public CommandOptions AddModel(Command command, bool named = true)
    {
        if (named)
            command.Add(_model);
        command.Add(_projector);
        command.Add(_backend);
        command.Add(_threads);
        command.Add(_numerics);
        command.Add(_headBits);
        command.Add(_context);
        command.Add(_memory);
        return this;
    }

    /// <summary>Adds the options that choose a device and how it computes.</summary>
    public CommandOptions AddDevice(Command command)
    {
        command.Add(_projector);
        command.Add(_backend);
        command.Add(_threads);
        command.Add(_numerics);
        command.Add(_headBits);
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

    /// <summary>The path of the model: as named, else the built-in one.</summary>
    public string ModelPath(ParseResult parsed)
    {
        string? path = parsed.GetValue(_model);
        if (path is null && Environment.GetEnvironmentVariable(ModelVariable) is { Length: > 0 } variable)
            path = variable;
        if (path is null && BuiltInModel.TryFind(out string? builtIn))
            return builtIn;
        if (string.IsNullOrWhiteSpace(path))
            throw new UsageException($"No model is named, and this program came without its built-in one: give --model PATH (a model folder, a GGUF file or an engine file) or set {ModelVariable}.");
        return path;
    }

    public ModelSettings Settings(ParseResult parsed, string path) => new(
        path,
        parsed.GetValue(_projector),
        parsed.GetValue(_backend) ?? (Environment.GetEnvironmentVariable(PortableOptions.BackendVariable) is { Length: > 0 } variable ? variable : BackendSelector.Auto),
        parsed.GetValue(_threads),
        parsed.GetValue(_numerics) == Reference ? NumericMode.Reference : NumericMode.Fast,
        parsed.GetValue(_context),
        parsed.GetValue(_memory),
        parsed.GetValue(_headBits));

    public ChatOptions Answer(ParseResult parsed) => new()
    {
        MaxOutputTokens = parsed.GetValue(_maxTokens),
        Temperature = parsed.GetValue(_temperature),
        Seed = parsed.GetValue(_seed),
    };

    /// <summary>The parser of an option that takes a number within bounds.</summary>
    public static T Number<T>(ArgumentResult result, T least, T most)
        where T : INumber<T>, IMinMaxValue<T>
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        NumberStyles styles = T.IsInteger(T.One / (T.One + T.One)) ? NumberStyles.AllowLeadingSign : NumberStyles.Float;
        if (T.TryParse(text, styles, CultureInfo.InvariantCulture, out T? value) && value >= least && value <= most)
            return value;
        string kind = styles == NumberStyles.Float ? "a number" : "a whole number";
        string bounds = most < T.MaxValue ? $" from {least} to {most}" : least > T.MinValue ? $" of {least} or more" : "";
        result.AddError($"{((OptionResult)result.Parent!).Option.Name}: expected {kind}{bounds}, found '{Shorten(text)}'.");
        return least;
    }

    /// <summary>What a person typed, short enough for a message.</summary>
    public static string Shorten(string text) => text.Length <= 40 ? text : text[..39] + "…";

    private static long? ParseSize(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (Sizes.TryParse(text, CultureInfo.InvariantCulture, out long bytes))
            return bytes;
        result.AddError($"--memory: '{Shorten(text)}' is no size; expected bytes, or a number with K, M or G (powers of 1024), such as 4G.");
        return null;
    }

    private static int? ParseHeadBits(ArgumentResult result)
    {
        if (result.Tokens is [{ Value: "4" or "6" } token])
            return token.Value[0] - '0';
        result.AddError($"--head-bits takes 4 or 6, found '{string.Join(' ', result.Tokens)}'.");
        return null;
    }

    private static string ParseNumerics(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (text is not (Fast or Reference))
            result.AddError($"--numerics: expected '{Fast}' or '{Reference}', found '{Shorten(text)}'.");
        return text;
    }
}

/// <summary>Which model a command works with, and how it is to run.</summary>
internal sealed record ModelSettings(string Path, string? Projector, string Backend, int Threads, NumericMode Numerics, int? Context, long? Memory, int? HeadBits);
