using System.Text.Json;

namespace Portable.Benchmarks.Comparison;

/// <summary>Everything that was measured, and where: the text of results.json.</summary>
/// <param name="Date">The day, in UTC.</param>
/// <param name="Commit">The commit of Portable.</param>
/// <param name="Processor">The processor's name.</param>
/// <param name="Cores">Cores that the process may use.</param>
/// <param name="InstructionSets">What the runtime offers, held back or not.</param>
/// <param name="Tier">"best", or the instruction set that all engines were held to.</param>
/// <param name="Kernels">The tier of Portable's kernels.</param>
/// <param name="System">Operating system and runtime.</param>
/// <param name="MemoryBytes">The machine's memory.</param>
/// <param name="Generate">Tokens decoded in a run.</param>
/// <param name="Rounds">How often everything was run.</param>
/// <param name="Models">The files.</param>
/// <param name="Bandwidths">Plain reads of memory, before each round.</param>
/// <param name="Runs">All runs in the order in which they were made.</param>
internal sealed record ComparisonResults(
    string Date, string Commit, string Processor, int Cores, string InstructionSets, string Tier, string Kernels, string System, long MemoryBytes,
    int Generate, int Rounds, IReadOnlyList<ComparedModel> Models, IReadOnlyList<BandwidthRun> Bandwidths, IReadOnlyList<EngineRun> Runs)
{
    public const string FileName = "results.json";

    private static readonly JsonSerializerOptions Layout = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static ComparisonResults Read(string folder) => JsonSerializer.Deserialize<ComparisonResults>(File.ReadAllText(Path.Combine(folder, FileName)), Layout)!;

    public void Write(string folder) => File.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Layout) + "\n");
}

/// <summary>A model file; all its tensors are read for every token, as the embedding is the output matrix too.</summary>
internal sealed record ComparedModel(string Name, string Types, long TensorBytes);

internal sealed record BandwidthRun(int Round, int Threads, double GigabytesPerSecond);

/// <summary>
/// One process: it loads, warms up, takes a prompt in and decodes. Idle is how much of the machine was so just before, 0 to
/// 1; Library is which of its builds the engine took, null for Portable.
/// </summary>
internal sealed record EngineRun(
    int Round, string Model, int Threads, int Prompt, string Engine, double Prefill, double Decode, double LoadSeconds, long PeakMemoryBytes, double Idle, string? Library);
