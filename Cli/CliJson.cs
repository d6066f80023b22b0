using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace Portable.Cli;

/// <summary>An answer: what `ask --json` writes, and `chat --json` once a turn on a line of its own.</summary>
internal sealed record AnswerReport(
    string Model, string Architecture, string Device, string Numerics, string Text, string? Reasoning, string FinishReason, UsageReport Usage, TimingReport Timing)
{
    [JsonIgnore]
    public bool IsCancelled => FinishReason == "cancelled";
}

internal sealed record UsageReport(long PromptTokens, long CachedTokens, long OutputTokens, long ReasoningTokens);

/// <summary>Seconds, and tokens per second: of the prompt tokens that were not cached, and of the output after its first token.</summary>
internal sealed record TimingReport(
    double LoadSeconds, double PrefillSeconds, double DecodeSeconds, double TotalSeconds, double? PromptTokensPerSecond, double? OutputTokensPerSecond);

/// <summary>A part of a model: its tensors, weights and bytes, scales and zero points counted with the weights they belong to.</summary>
internal sealed record PartReport(string Part, int Tensors, long Parameters, long Bytes, double? BitsPerWeight);

internal sealed record InspectReport(
    string Path,
    string Kind,
    EngineReport? Engine,
    string? Architecture,
    string? Name,
    string? Quantization,
    long Parameters,
    int TensorCount,
    long Bytes,
    int? ContextTokens,
    IReadOnlyList<PartReport> Parts,
    IReadOnlyList<TypeReport> Types,
    IReadOnlyList<string> Files,
    TextReport Text,
    RunReport Run,
    IReadOnlyList<TensorReport>? Tensors);

/// <summary>What an engine file says of itself; null for other kinds. IsVerified is null where nobody asked.</summary>
internal sealed record EngineReport(string Producer, string Layout, string Source, string RebuildCommand, int Weights, bool? IsVerified);

internal sealed record TypeReport(string Type, int Tensors, long Bytes);

internal sealed record TensorReport(string Name, string Type, IReadOnlyList<long> Shape, long Bytes, string File);

/// <summary>What is known of the model's text side; a problem says why something is missing.</summary>
internal sealed record TextReport(int? VocabularySize, int? AddedTokens, string? TokenizerProblem, bool HasChatTemplate, string? ChatTemplateProblem);

/// <summary>Whether the model can run here, and what it would take.</summary>
internal sealed record RunReport(bool IsSupported, string? Problem, string Numerics, MemoryReport? Memory);

internal sealed record MemoryReport(
    long WeightBytes, long KvBytesPerToken, long KvBytes, long VisionBytes, long WorkspaceBytes, long TotalBytes, long BudgetBytes, int ContextTokens, bool Fits);

internal sealed record TokensReport(string Text, IReadOnlyList<TokenReport> Tokens);

internal sealed record TokenReport(int Id, string? Token, string Text, bool IsSpecial);

internal sealed record DoctorReport(
    string Version, string Machine, string OperatingSystem, string Runtime, int Cores, long MemoryBytes, long AvailableMemoryBytes,
    IReadOnlyList<BackendReport> Backends);

internal sealed record BackendReport(string Id, bool IsUsable, string Reason, IReadOnlyList<DeviceReport> Devices);

internal sealed record DeviceReport(string Id, string Name, long MemoryBytes, IReadOnlyDictionary<string, string> Details);

internal sealed record BenchReport(
    string Model, string Architecture, string Device, string Numerics, int Threads, int PromptTokens, int GeneratedTokens, int Repeats, long Seed,
    string WarmUp, double LoadSeconds, SpeedReport PrefillTokensPerSecond, SpeedReport DecodeTokensPerSecond, long PeakMemoryBytes,
    long WeightBytes, double WeightGigabytesPerSecond);

internal sealed record SpeedReport(double Min, double Median, double Max);

/// <summary>Exactly right answers to the questions of a suite.</summary>
internal sealed record EvalReport(
    string Model, string Suite, string Device, string Numerics, IReadOnlyList<string> Languages, IReadOnlyList<ScoreReport> Scores, double Seconds)
{
    public int Asked => Scores.Sum(static s => s.Asked);

    public int Right => Scores.Sum(static s => s.Right);
}

internal sealed record ScoreReport(string Category, string Language, int Asked, int Right);

internal sealed record BuildReport(string Path, string Layout, string Device, int Weights, long Bytes, long SourceBytes);

internal sealed record QuantizeReport(
    string Path, int Matrices, long QuantizedWeights, int KeptTensors, long BytesBefore, long BytesAfter, IReadOnlyList<string> LinearLayersLeft);

/// <summary>The JSON of all commands, source-generated. Names are stable; further ones may be added.</summary>
[JsonSerializable(typeof(AnswerReport))]
[JsonSerializable(typeof(InspectReport))]
[JsonSerializable(typeof(TokensReport))]
[JsonSerializable(typeof(DoctorReport))]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(EvalReport))]
[JsonSerializable(typeof(BuildReport))]
[JsonSerializable(typeof(QuantizeReport))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class CliJson : JsonSerializerContext
{
    /// <summary>On one line.</summary>
    public static CliJson Line { get; } = new(Layout(isIndented: false));

    /// <summary>For a whole report.</summary>
    public static CliJson Indented { get; } = new(Layout(isIndented: true));

    public static void Write<T>(CliConsole console, T report, JsonTypeInfo<T> type)
    {
        console.Output.WriteLine(JsonSerializer.Serialize(report, type));
        console.Output.Flush();
    }

    public static string Name(NumericMode mode) => mode == NumericMode.Reference ? "reference" : "fast";

    public static double Round(double value) => Math.Round(value, 4);

    /// <summary>Tokens per second; null where there is nothing to divide.</summary>
    public static double? Rate(long tokens, TimeSpan? time) =>
        tokens > 0 && time is { TotalSeconds: > 0 } spent ? Math.Round(tokens / spent.TotalSeconds, 2) : null;

    private static JsonSerializerOptions Layout(bool isIndented) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = isIndented,
        Encoder = JavaScriptEncoder.Create(UnicodeRanges.All),
    };
}
