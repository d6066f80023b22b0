using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Portable.Peers;

/// <summary>A model that another engine has loaded.</summary>
internal interface IPeer : IDisposable
{
    /// <summary>Forgets every token.</summary>
    void Clear();

    /// <summary>Appends tokens at a position and gives the logits of the last, valid until the next call.</summary>
    Span<float> Append(ReadOnlySpan<int> tokens, int position);
}

/// <summary>
/// The protocol of `portable bench` for any engine: one run of the same length that is not counted, then prompts of random tokens, each
/// followed by tokens decoded one by one, greedily. One line of JSON is printed.
/// </summary>
internal static class PeerRun
{
    /// <summary>What the command line asks for: MODEL [--threads 2] [--prompt 512] [--generate 64] [--repeat 3] [--tier best|avx2].</summary>
    public sealed record Options(string Model, int Threads, int Prompt, int Generate, int Repeat, string Tier)
    {
        public int Context => Prompt + Generate + 64;

        public static Options Parse(string[] args)
        {
            string Text(string name, string otherwise)
            {
                int at = Array.IndexOf(args, "--" + name);
                return at < 0 ? otherwise : args[at + 1];
            }

            int Number(string name, int otherwise) => int.Parse(Text(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
            return new Options(args[0], Number("threads", 2), Number("prompt", 512), Number("generate", 64), Number("repeat", 3), Text("tier", "best"));
        }
    }

    public static void Measure(string engine, Options options, Func<IPeer> load)
    {
        long begin = Stopwatch.GetTimestamp();
        using IPeer peer = load();
        double loadSeconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        var random = new Random(0);
        Once(peer, random, options.Prompt, options.Generate);
        var prefill = new double[options.Repeat];
        var decode = new double[options.Repeat];
        for (int i = 0; i < options.Repeat; i++)
            (prefill[i], decode[i]) = Once(peer, random, options.Prompt, options.Generate);
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            engine,
            library = CpuLibrary(),
            threads = options.Threads,
            promptTokens = options.Prompt,
            generatedTokens = options.Generate,
            repeats = options.Repeat,
            loadSeconds = Math.Round(loadSeconds, 4),
            prefillTokensPerSecond = Speeds(prefill),
            decodeTokensPerSecond = Speeds(decode),
            peakMemoryBytes = PeakMemory(),
        }));
    }

    // As `portable bench` counts: the first token belongs to prefill, and decoding is what the ones after it take.
    private static (double Prefill, double Decode) Once(IPeer peer, Random random, int prompt, int generate)
    {
        peer.Clear();
        var tokens = new int[prompt];
        for (int i = 0; i < prompt; i++)
            tokens[i] = random.Next(100, 40000);
        long begin = Stopwatch.GetTimestamp();
        int token = Best(peer.Append(tokens, 0));
        double prefill = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < generate - 1; i++)
            token = Best(peer.Append([token], prompt + i));
        return (prompt / prefill, (generate - 1) / Stopwatch.GetElapsedTime(begin).TotalSeconds);
    }

    // In vectors: a plain loop over the logits would be charged to the peer.
    private static int Best(Span<float> logits)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var most = new Vector<float>(float.NegativeInfinity);
        foreach (Vector<float> vector in vectors)
            most = Vector.Max(most, vector);
        float best = float.NegativeInfinity;
        for (int i = 0; i < Vector<float>.Count; i++)
            best = Math.Max(best, most[i]);
        foreach (float rest in logits[(vectors.Length * Vector<float>.Count)..])
            best = Math.Max(best, rest);
        int at = logits.IndexOf(best);
        return at >= 0 ? at : throw new InvalidOperationException("the logits are not numbers");
    }

    private static object Speeds(double[] values)
    {
        double[] sorted = [.. values.Order()];
        double median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        return new { min = Math.Round(sorted[0], 2), median = Math.Round(median, 2), max = Math.Round(sorted[^1], 2) };
    }

    // proc(5): the most that was resident, mapped files included.
    private static long PeakMemory() => File.ReadLines("/proc/self/status")
        .Where(static line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
        .Select(static line => long.Parse(line["VmHWM:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture) * 1024).First();

    // Which of the package's builds was taken: the folder and file that are mapped into this process.
    private static string CpuLibrary() => File.ReadLines("/proc/self/maps")
        .Where(static line => line.Contains("ggml-cpu", StringComparison.Ordinal)).Select(static line => line[line.IndexOf('/', StringComparison.Ordinal)..])
        .Select(static path => string.Join('/', path.Split('/')[^2..])).FirstOrDefault() ?? "unknown";
}
