namespace Portable.Benchmarks.Generation;

/// <summary>
/// A long context beside a short one: prefill by its operations, decoding beside a plain read of the bytes that it needs. What is compared is measured in
/// turn, since a shared machine is fast at one time and slow at another.
/// </summary>
internal static class ContextBenchmark
{
    private const int Short = 512, Steps = 32, Rounds = 2, ShortPerRound = 4, DecodeRounds = 7;

    public static async Task Run(int threads, string path, int tokens)
    {
        using ModelRun run = await ModelRun.Load(path, threads, Math.Max(tokens, Short) + 64);
        var work = new ModelWork(run.Model.Config);
        double weights = File.Exists(path) ? new FileInfo(path).Length : run.Model.Plan.WeightBytes;
        Console.WriteLine($"{Machine.Conditions(threads)}; {Path.GetFileName(path)}, prompts of random tokens");
        await run.Answer(Short, Steps);
        await run.Answer(Short, Steps);

        Console.WriteLine($"{"tokens",8}{"prefill s",11}{"tokens/s",10}{"GOPS",8}{"attention",11}");
        var kept = new List<double>();
        int[] prompt = [];
        for (int round = 0; round < Rounds; round++)
        {
            double few = await Shorts();
            prompt = run.Prompt(tokens);
            double many = (await run.Answer(prompt, 1)).Prefill;
            few = (few + await Shorts()) / 2;
            WritePrefill(Short, few);
            WritePrefill(tokens, many);
            kept.Add(work.Prefill(tokens) / many / (work.Prefill(Short) / few));
        }

        Console.WriteLine($"GOPS at {tokens} tokens: {Measure.Median(kept):p1} of those at {Short} (at least 80 %: {(Measure.Median(kept) >= 0.8 ? "yes" : "NO")})");

        Console.WriteLine($"decoding {Steps} tokens, {DecodeRounds} times in turn with a plain read; weights {weights / 1e6:f0} MB, KV cache {run.Model.Plan.KvBytesPerToken / 1e3:f1} kB a token; medians");
        Console.WriteLine($"{"context",8}{"tokens/s",10}{"read GB/s",11}{"read alone",12}{"ratio",8}");
        await Decode(run.Prompt(Short));
        // The long prompt is still in the KV cache's pages unless the short one took them: it is answered once more first.
        double ratio = await Decode(prompt);
        Console.WriteLine($"decoding at {tokens} tokens: {ratio:p1} of a plain read (at least 85 %: {(ratio >= 0.85 ? "yes" : "NO")})");

        async Task<double> Shorts()
        {
            var times = new List<double>();
            for (int i = 0; i < ShortPerRound; i++)
                times.Add((await run.Answer(Short, 1)).Prefill);
            return Measure.Median(times);
        }

        void WritePrefill(int length, double seconds) => Console.WriteLine(
            $"{length,8}{seconds,11:f3}{length / seconds,10:f1}{work.Prefill(length) / seconds / 1e9,8:f1}{work.Attention(length) / work.Prefill(length),11:p1}");

        async Task<double> Decode(int[] context)
        {
            await run.Answer(context, 1);
            // The context of the step in the middle.
            double bytes = weights + (run.Model.Plan.KvBytesPerToken * work.KeysRead(context.Length + ((Steps + 1) / 2.0)));
            List<double> speeds = [], reads = [], ratios = [];
            for (int round = 0; round < DecodeRounds; round++)
            {
                double read = StreamingRead.Bandwidth(threads) * 1e9, step = (await run.Answer(context, Steps)).Step;
                // What the machine did meanwhile is between the reads before and after.
                read = (read + (StreamingRead.Bandwidth(threads) * 1e9)) / 2;
                speeds.Add(1 / step);
                reads.Add(read / 1e9);
                ratios.Add(bytes / read / step);
            }

            Console.WriteLine($"{context.Length,8}{Measure.Median(speeds),10:f2}{Measure.Median(reads),11:f1}{Measure.Median(reads) * 1e9 / bytes,12:f2}{Measure.Median(ratios),8:f2}");
            return Measure.Median(ratios);
        }
    }
}
