// Measures llama.cpp as LLamaSharp ships it, through its thinnest interface, by the protocol of `portable bench`: a
// prompt of random tokens, then tokens decoded one by one; the first run warms up and is not counted.
//   dotnet run -c Release --project benchmarks/peers/llamasharp -- MODEL.gguf [threads] [prompt] [generate] [repeat]
using System.Diagnostics;
using LLama;
using LLama.Common;
using LLama.Native;

int Option(int index, int whenAbsent) => args.Length > index ? int.Parse(args[index], System.Globalization.CultureInfo.InvariantCulture) : whenAbsent;
int threads = Option(1, 2), prompt = Option(2, 512), generate = Option(3, 64), repeat = Option(4, 3);

NativeLibraryConfig.All.WithLogCallback((_, _) => { });
var parameters = new ModelParams(args[0])
{
    ContextSize = (uint)(prompt + generate + 64), Threads = threads, BatchThreads = threads, GpuLayerCount = 0, BatchSize = (uint)prompt, UBatchSize = (uint)prompt,
};
using var weights = LLamaWeights.LoadFromFile(parameters);
using LLamaContext context = weights.CreateContext(parameters);
var random = new Random(0);
var prefill = new List<double>();
var decode = new List<double>();
for (int run = 0; run <= repeat; run++)
{
    context.NativeHandle.MemoryClear();
    var batch = new LLamaBatch();
    for (int i = 0; i < prompt; i++)
        batch.Add(random.Next(100, 40000), i, LLamaSeqId.Zero, i == prompt - 1);
    long begin = Stopwatch.GetTimestamp();
    context.NativeHandle.Decode(batch);
    int token = Best(context.NativeHandle.GetLogits(1));
    double prefillSeconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
    begin = Stopwatch.GetTimestamp();
    for (int i = 0; i < generate; i++)
    {
        batch.Clear();
        batch.Add(token, prompt + i, LLamaSeqId.Zero, true);
        context.NativeHandle.Decode(batch);
        token = Best(context.NativeHandle.GetLogits(1));
    }

    double decodeSeconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
    if (run == 0)
        continue;
    prefill.Add(prompt / prefillSeconds);
    decode.Add(generate / decodeSeconds);
}

prefill.Sort();
decode.Sort();
Console.WriteLine($"llama.cpp (LLamaSharp 0.30), {threads} threads: prefill {prefill[repeat / 2]:F0}, decode {decode[repeat / 2]:F1} tokens/s (medians of {repeat})");

static int Best(Span<float> logits)
{
    int best = 0;
    for (int i = 1; i < logits.Length; i++)
    {
        if (logits[i] > logits[best])
            best = i;
    }

    return best;
}
