using System.Diagnostics;
using System.Globalization;
using Portable.Backends.Cpu;
using Portable.Checkpoints;
using Portable.Decoding;

namespace Portable.Benchmarks;

/// <summary>
/// What a start costs in a process that has just begun: from opening the model to accepting a prompt, as an application does it; then its parts, once
/// more, when the code is compiled; and the memory of it, after one answer.
/// </summary>
internal static class StartBenchmark
{
    public static async Task Run(int threads, string path)
    {
        const int Context = 1024, Prompt = 128, Output = 32;
        var options = new ModelOptions { Path = path, Threads = threads, Numerics = NumericMode.Fast, ContextTokens = Context };
        long begin = Stopwatch.GetTimestamp();
        using PortableModel model = await PortableModel.LoadAsync(options, new BackendSelector([new CpuBackend()]));
        int[] prompt = model.Tokenizer.Encode("The first prompt is accepted when its tokens are known.");
        double start = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;

        int[] tokens = [.. Enumerable.Range(0, Prompt).Select(i => prompt[i % prompt.Length])];
        begin = Stopwatch.GetTimestamp();
        var generation = model.Generate(new ModelPrompt(tokens), new GenerationOptions { MaxTokens = Output, IgnoreEndTokens = true });
        await foreach (GeneratedToken _ in generation)
        {
        }

        double answer = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        long size = File.Exists(path) ? new FileInfo(path).Length : Directory.EnumerateFiles(path).Sum(f => new FileInfo(f).Length);
        long peak = Machine.PeakBytes();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Machine.Processor}, {threads} threads; {Path.GetFileName(path)}, {size / 1e6:f0} MB\nopening to accepting a prompt: {start:f0} ms; first answer ({Prompt} tokens in, {Output} out): {answer:f0} ms"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"peak resident {peak / 1e6:f0} MB = file + KV cache {model.Plan.KvBytes / 1e6:f0} MB + {(peak - size - model.Plan.KvBytes) / 1e6:f0} MB; shared with the page cache {Machine.SharedBytes() / 1e6:f0} MB, of this process alone {Machine.AnonymousBytes() / 1e6:f0} MB"));

        var (opened, tokenizer, whole) = (Once(() => Checkpoint.Open(path).Dispose()), Once(ReadTokenizer), Once(() => PortableModel.LoadAsync(options, new BackendSelector([new CpuBackend()])).GetAwaiter().GetResult().Dispose()));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"again, compiled: all {whole:f0} ms, of it opening {opened:f0} and the tokenizer {tokenizer:f0}"));

        void ReadTokenizer()
        {
            using Checkpoint checkpoint = Checkpoint.Open(path);
            ModelFiles.ReadTokenizer(checkpoint);
        }
    }

    private static double Once(Action action)
    {
        long begin = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
    }
}
