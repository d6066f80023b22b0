using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Portable.Backends.Cpu;
using Portable.Checkpoints;

namespace Portable.Benchmarks.Comparison;

/// <summary>
/// Runs Portable and its peers in turn, a process for each measurement, several rounds of all: what the machine does
/// meanwhile then falls on all of them alike.
/// </summary>
internal static class ComparisonRun
{
    public const string Portable = "Portable";

    /// <summary>Measures with the programs and models in a folder and writes the results into another.</summary>
    public static void Measure(string work, string output, string[] options)
    {
        string Option(string name, string otherwise)
        {
            int at = Array.IndexOf(options, "--" + name);
            return at < 0 ? otherwise : options[at + 1];
        }

        int[] Numbers(string name, string otherwise) => [.. Option(name, otherwise).Split(',').Select(static n => int.Parse(n, CultureInfo.InvariantCulture))];

        int rounds = Numbers("rounds", "3")[0], generate = Numbers("generate", "64")[0];
        int[] threadCounts = Numbers("threads", "1,2"), prompts = Numbers("prompts", "128,512");
        string tier = Option("tier", "best"), commit = Option("commit", "unknown");
        string[] names = Option("models", "").Split(',', StringSplitOptions.RemoveEmptyEntries);
        ComparedModel[] models = [.. names.Select(name => Describe(name, ModelPath(name)))];

        var engines = new (string Name, string Program, string[] Arguments)[]
        {
            (Portable, Path.Combine(work, "portable", "portable"), ["bench", "--json", "--model"]),
            ("LLamaSharp", Path.Combine(work, "llamasharp", "LLamaSharpPeer"), ["--tier", tier]),
            ("llama.cpp", Path.Combine(work, "llama-cpp", "LlamaCppPeer"), ["--tier", tier, "--libraries", Option("libraries", "")]),
        };
        DeviceInfo processor = ProcessorProbe.Describe("cpu");
        Directory.CreateDirectory(output);
        var bandwidths = new List<BandwidthRun>();
        var runs = new List<EngineRun>();
        for (int round = 0; round < rounds; round++)
        {
            foreach (int threads in threadCounts)
                bandwidths.Add(new BandwidthRun(round, threads, Math.Round(StreamingRead.Bandwidth(threads), 2)));
            foreach (string model in names)
            {
                foreach (int threads in threadCounts)
                {
                    foreach (int prompt in prompts)
                    {
                        // Another one begins each round: none always runs on a processor that the same one has heated.
                        for (int i = 0; i < engines.Length; i++)
                        {
                            (string engine, string program, string[] arguments) = engines[(i + round) % engines.Length];
                            string[] measured = ["--threads", Text(threads), "--prompt", Text(prompt), "--generate", Text(generate), "--repeat", "1"];
                            string[] all = engine == Portable ? [.. arguments, ModelPath(model), .. measured] : [ModelPath(model), .. arguments, .. measured];
                            EngineRun run = Run(program, all, new EngineRun(round, model, threads, prompt, engine, 0, 0, 0, 0, IdleShare(), null));
                            runs.Add(run);
                            Console.Error.WriteLine(
                                $"round {round + 1}/{rounds}  {model,-20} {threads} threads  prompt {prompt,4}  {engine,-10}  prefill {run.Prefill,8:f1}  decode {run.Decode,7:f1}  load {run.LoadSeconds:f2} s  {run.PeakMemoryBytes >> 20} MiB");
                        }
                    }
                }
            }

            // What an interrupted comparison has measured is kept.
            Write(round + 1);
        }

        void Write(int finished) => new ComparisonResults(
            DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), commit, processor.Name, Environment.ProcessorCount,
            processor.Details.First(static d => d.Key == "instruction sets").Value, tier, PackedKernels.Best.ToString(),
            $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}", GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            generate, finished, models, bandwidths, runs).Write(output);

        string ModelPath(string name) => Path.Combine(work, "models", name + ".gguf");

        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private static ComparedModel Describe(string name, string path)
    {
        using Checkpoint checkpoint = Checkpoint.Open(path);
        IEnumerable<string> types = checkpoint.Tensors.GroupBy(static t => t.Type).Where(static g => g.Key != "F32")
            .OrderByDescending(static g => g.Sum(static t => t.Bytes)).Select(static g => g.Key);
        return new ComparedModel(name, string.Join(", ", types), checkpoint.Tensors.Sum(static t => t.Bytes));
    }

    private static EngineRun Run(string program, string[] arguments, EngineRun run)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}");
        using JsonDocument report = JsonDocument.Parse(text);
        JsonElement root = report.RootElement;
        return run with
        {
            Prefill = root.GetProperty("prefillTokensPerSecond").GetProperty("median").GetDouble(),
            Decode = root.GetProperty("decodeTokensPerSecond").GetProperty("median").GetDouble(),
            LoadSeconds = root.GetProperty("loadSeconds").GetDouble(),
            PeakMemoryBytes = root.GetProperty("peakMemoryBytes").GetInt64(),
            Library = root.TryGetProperty("library", out JsonElement library) ? library.GetString() : null,
        };
    }

    // proc(5): the fields of the first line are times spent in user, nice, system, idle, iowait and more, for all processors together.
    private static double IdleShare()
    {
        (double idleBefore, double allBefore) = Times();
        Thread.Sleep(300);
        (double idle, double all) = Times();
        return all > allBefore ? Math.Round((idle - idleBefore) / (all - allBefore), 2) : 1;

        static (double Idle, double All) Times()
        {
            double[] times = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8)
                .Select(static t => double.Parse(t, CultureInfo.InvariantCulture))];
            return (times[3] + times[4], times.Sum());
        }
    }
}
