using System.Text;

namespace Portable.Benchmarks.Comparison;

/// <summary>Results as a Markdown table and plots, and as a section of docs/performance.md.</summary>
internal static class ComparisonPage
{
    // Engines that wait for each other in a loop lose most where they have to share cores: then nothing is compared.
    private const double Quiet = 0.9;

    private static readonly string[] Peers = ["LLamaSharp", "llama.cpp"];
    private static readonly string[] Engines = [ComparisonRun.Portable, .. Peers];

    /// <summary>One speed of every engine at one setting: medians over the rounds, in tokens a second.</summary>
    private sealed record Line(string Model, int Threads, int Prompt, double[] Speeds, double Goal)
    {
        public double Ratio => Speeds[0] / Speeds[1..].Max();

        public bool IsReached => Math.Round(Ratio, 2) >= Goal;
    }

    /// <summary>Writes results.md and the plots beside results.json, and the section of a page where one is named.</summary>
    public static void Write(string folder, string? page)
    {
        ComparisonResults results = ComparisonResults.Read(folder);
        Line[] prefill = Lines(results, static r => r.Prefill, PrefillGoal), decode = Lines(results, static r => r.Decode, DecodeGoal);
        (string File, string Title, Line[] Lines)[] plots = [("prefill.svg", "Prefill", prefill), ("decode.svg", "Decode", decode)];
        foreach ((string file, string title, Line[] lines) in plots)
            File.WriteAllText(Path.Combine(folder, file), Plot(title, lines));
        string text = Section(results, prefill, decode);
        File.WriteAllText(Path.Combine(folder, "results.md"), text.Replace("SVGS/", "", StringComparison.Ordinal));
        Console.WriteLine(text.Replace("SVGS/", folder + "/", StringComparison.Ordinal));
        if (page is not null)
            Insert(page, results, text.Replace("SVGS/", Path.GetRelativePath(Path.GetDirectoryName(Path.GetFullPath(page))!, folder).Replace('\\', '/') + "/", StringComparison.Ordinal));
    }

    // What Portable is to reach, as times the faster peer.
    private static double PrefillGoal(ComparisonResults results, string model, int threads) => !HasAvx512(results) ? 1.3 : threads == 1 ? 1.75 : 1.9;

    private static double DecodeGoal(ComparisonResults results, string model, int threads) =>
        HasAvx512(results) && model.Contains("1.5b", StringComparison.Ordinal) ? 1.1 : 1.2;

    private static bool HasAvx512(ComparisonResults results) => results.InstructionSets.Contains("AVX-512", StringComparison.Ordinal);

    private static string Instructions(ComparisonResults results) =>
        HasAvx512(results) ? "AVX-512" : results.InstructionSets.Contains("AVX2", StringComparison.Ordinal) ? "AVX2" : results.InstructionSets;

    private static Line[] Lines(ComparisonResults results, Func<EngineRun, double> speed, Func<ComparisonResults, string, int, double> goal) =>
    [
        .. from model in results.Models
           from threads in results.Runs.Select(static r => r.Threads).Distinct()
           from prompt in results.Runs.Select(static r => r.Prompt).Distinct()
           select new Line(model.Name, threads, prompt, [.. Engines.Select(engine => Median(
               results.Runs.Where(r => r.Model == model.Name && r.Threads == threads && r.Prompt == prompt && r.Engine == engine).Select(speed)))],
               goal(results, model.Name, threads)),
    ];

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Section(ComparisonResults results, Line[] prefill, Line[] decode)
    {
        var text = new StringBuilder();
        string held = results.Tier == "best" ? "" : ", all engines held to it";
        text.Append($"### {Instructions(results)}{held}: {results.Processor}, {results.Cores} cores\n\n");
        text.Append($"{results.Date}, commit {results.Commit}; {results.System}; {results.MemoryBytes / 1e9:f0} GB of memory; instruction sets {results.InstructionSets}, ");
        text.Append($"Portable's kernels {results.Kernels}; builds taken: {string.Join(", ", Peers.Select(peer => $"{peer} `{results.Runs.First(r => r.Engine == peer).Library}`"))}.\n");
        text.Append($"{results.Rounds} rounds, {results.Generate} tokens decoded, medians. Before a run the machine was {Median(results.Runs.Select(static r => r.Idle)):P0} idle (median; ");
        text.Append($"least {results.Runs.Min(static r => r.Idle):P0}).\n");
        bool isQuiet = Median(results.Runs.Select(static r => r.Idle)) >= Quiet;
        if (!isQuiet)
            text.Append("**Others were using the machine: these figures show that the comparison runs, not how fast anything is.**\n");
        text.Append($"Plain reads of memory: {string.Join(", ", results.Bandwidths.Select(static b => b.Threads).Distinct().Select(t => $"{Bandwidth(results, t):f1} GB/s with {Threads(t)}"))}.\n");
        Speeds(text, "Prefill", prefill, isQuiet);
        Speeds(text, "Decode", decode, isQuiet);
        Used(text, results, decode);
        LoadAndMemory(text, results);
        text.Append("![Prefill](SVGS/prefill.svg)\n\n![Decode](SVGS/decode.svg)\n");
        return text.ToString();
    }

    private static void Speeds(StringBuilder text, string title, Line[] lines, bool isQuiet)
    {
        string reached = isQuiet ? $"{lines.Count(static l => l.IsReached)} of {lines.Length} reach their goal" : "not judged";
        text.Append($"\n**{title}**, tokens a second; the ratio is Portable's speed over that of the faster peer: {reached}.\n\n");
        text.Append($"| model | threads | prompt | {string.Join(" | ", Engines)} | ratio | goal | reached |\n|---|---|---|{string.Concat(Engines.Select(static _ => "---|"))}---|---|---|\n");
        foreach (Line line in lines)
            text.Append($"| {line.Model} | {line.Threads} | {line.Prompt} | {string.Join(" | ", line.Speeds.Select(static s => $"{s:f1}"))} | **{line.Ratio:f2}** | {line.Goal:f2} | {(!isQuiet ? "?" : line.IsReached ? "yes" : "no")} |\n");
    }

    // After the longest prompt, where attention costs most.
    private static void Used(StringBuilder text, ComparisonResults results, Line[] decode)
    {
        text.Append("\n**Decode beside memory**: the file's tensors read once for each token, in percent of the plain read.\n\n");
        text.Append($"| model | types | MB | threads | {string.Join(" | ", Engines)} |\n|---|---|---|---|{string.Concat(Engines.Select(static _ => "---|"))}\n");
        foreach (Line line in decode.Where(l => l.Prompt == decode.Max(static d => d.Prompt)))
        {
            ComparedModel model = results.Models.First(m => m.Name == line.Model);
            IEnumerable<string> shares = line.Speeds.Select(s => $"{s * model.TensorBytes / 1e9 / Bandwidth(results, line.Threads):P0}");
            text.Append($"| {line.Model} | {model.Types} | {model.TensorBytes / 1e6:f0} | {line.Threads} | {string.Join(" | ", shares)} |\n");
        }
    }

    private static void LoadAndMemory(StringBuilder text, ComparisonResults results)
    {
        text.Append("\n**Loading and memory**: seconds to load (the file being in the system's cache), and the most resident memory of a process (mapped files included), in MiB.\n\n");
        text.Append($"| model | {string.Join(" | ", Engines.Select(static e => $"load: {e}"))} | {string.Join(" | ", Engines.Select(static e => $"peak: {e}"))} |\n|---|{string.Concat(Engines.Select(static _ => "---|---|"))}\n");
        foreach (ComparedModel model in results.Models)
        {
            IEnumerable<EngineRun> Of(string engine) => results.Runs.Where(r => r.Model == model.Name && r.Engine == engine);
            text.Append($"| {model.Name} | {string.Join(" | ", Engines.Select(e => $"{Median(Of(e).Select(static r => r.LoadSeconds)):f2}"))} | ");
            text.Append($"{string.Join(" | ", Engines.Select(e => $"{Of(e).Max(static r => r.PeakMemoryBytes) / 1048576.0:f0}"))} |\n");
        }

        text.Append('\n');
    }

    private static string Plot(string title, Line[] lines)
    {
        Line[] shown = [.. lines.Where(l => l.Prompt == lines.Max(static d => d.Prompt) && l.Threads == lines.Max(static d => d.Threads))];
        return BarChart.Draw(
            $"{title}, tokens a second ({Threads(shown[0].Threads)}, prompt {shown[0].Prompt}); each model on its own scale",
            Engines, [.. shown.Select(static l => (l.Model, l.Speeds))]);
    }

    private static double Bandwidth(ComparisonResults results, int threads) => Median(results.Bandwidths.Where(b => b.Threads == threads).Select(static b => b.GigabytesPerSecond));

    private static string Threads(int threads) => threads == 1 ? "1 thread" : $"{threads} threads";

    // Each kind of machine has a section of its own, which only its own results replace.
    private static void Insert(string page, ComparisonResults results, string section)
    {
        string key = Instructions(results).ToLowerInvariant() + (results.Tier == "best" ? "" : "-held");
        string begin = $"<!-- results {key} -->", end = $"<!-- end of results {key} -->", block = $"{begin}\n{section}{end}";
        string text = File.ReadAllText(page);
        int from = text.IndexOf(begin, StringComparison.Ordinal), to = text.IndexOf(end, StringComparison.Ordinal);
        File.WriteAllText(page, from >= 0 && to > from ? string.Concat(text.AsSpan(0, from), block, text.AsSpan(to + end.Length)) : $"{text.TrimEnd()}\n\n{block}\n");
    }
}
