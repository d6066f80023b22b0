namespace Portable.Benchmarks.Generation;

/// <summary>A long context beside a short one: prefill by its operations, decoding beside a plain read of the bytes that it needs.</summary>
internal static class ContextBenchmark
{
    private const int Short = 512, Steps = 32;

    public static async Task Run(int threads, string path, int tokens)
    {
        using ModelRun run = await ModelRun.Load(path, threads, Math.Max(tokens, Short) + 64);
        var work = new ModelWork(run.Model.Config);
        Console.WriteLine($"{Machine.Conditions(threads)}; {Path.GetFileName(path)}, prompts of random tokens");
        await run.Answer(Short, Steps);
        await run.Answer(Short, Steps);
        double bandwidth = StreamingRead.Bandwidth(threads);
        AnswerTimes few = await run.Best(5, Short, Steps), many = await run.Best(2, tokens, Steps);
        bandwidth = Math.Max(bandwidth, StreamingRead.Bandwidth(threads));

        Console.WriteLine($"{"tokens",8}{"prefill s",11}{"tokens/s",10}{"GOPS",8}{"attention",11}");
        WritePrefill(Short, few);
        WritePrefill(tokens, many);
        double kept = work.Prefill(tokens) / many.Prefill / (work.Prefill(Short) / few.Prefill);
        Console.WriteLine($"GOPS at {tokens} tokens: {kept:p1} of those at {Short} (at least 80 %: {(kept >= 0.8 ? "yes" : "NO")})");

        Console.WriteLine($"decoding {Steps} tokens; plain read {bandwidth:f1} GB/s in the same process; weights {run.Model.Plan.WeightBytes / 1e6:f0} MB, KV cache {run.Model.Plan.KvBytesPerToken / 1e3:f1} kB a token");
        Console.WriteLine($"{"context",8}{"tokens/s",10}{"read alone",12}{"ratio",8}");
        WriteDecode(Short, few);
        double ratio = WriteDecode(tokens, many);
        Console.WriteLine($"decoding at {tokens} tokens: {ratio:p1} of a plain read (at least 85 %: {(ratio >= 0.85 ? "yes" : "NO")})");

        void WritePrefill(int prompt, AnswerTimes times) => Console.WriteLine(
            $"{prompt,8}{times.Prefill,11:f3}{prompt / times.Prefill,10:f1}{work.Prefill(prompt) / times.Prefill / 1e9,8:f1}{work.Attention(prompt) / work.Prefill(prompt),11:p1}");

        double WriteDecode(int prompt, AnswerTimes times)
        {
            // The context of the step in the middle.
            double keys = work.KeysRead(prompt + ((Steps + 1) / 2.0));
            double bytes = run.Model.Plan.WeightBytes + (run.Model.Plan.KvBytesPerToken * keys), predicted = bytes / (bandwidth * 1e9);
            Console.WriteLine($"{prompt,8}{1 / times.Step,10:f2}{1 / predicted,12:f2}{predicted / times.Step,8:f2}");
            return predicted / times.Step;
        }
    }
}
