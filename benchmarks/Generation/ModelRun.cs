using Portable.Backends.Cpu;
using Portable.Decoding;

namespace Portable.Benchmarks.Generation;

/// <summary>A model that answers random prompts, each with a first token of its own: nothing of the prompt before is in the KV cache.</summary>
internal sealed class ModelRun : IDisposable
{
    private readonly Random _random = new(1);
    private int _prompts;

    private ModelRun(PortableModel model) => Model = model;

    public PortableModel Model { get; }

    public static async Task<ModelRun> Load(string path, int threads, int context)
    {
        var options = new ModelOptions { Path = path, Threads = threads, Numerics = NumericMode.Fast, ContextTokens = context };
        return new ModelRun(await PortableModel.LoadAsync(options, new BackendSelector([new CpuBackend()])));
    }

    /// <summary>Answers a prompt of so many tokens; the first token of the output belongs to the prefill, each further one is a step of decoding.</summary>
    public async Task<AnswerTimes> Answer(int prompt, int steps)
    {
        int vocabulary = Model.Config.VocabularySize;
        int[] tokens = [.. Enumerable.Range(0, prompt).Select(_ => _random.Next(vocabulary))];
        tokens[0] = ++_prompts % vocabulary;
        var generation = Model.Generate(new ModelPrompt(tokens), new GenerationOptions { MaxTokens = steps + 1, IgnoreEndTokens = true });
        await foreach (GeneratedToken _ in generation)
        {
        }

        if (generation.CachedTokens != 0 || generation.OutputTokens != steps + 1)
            throw new InvalidOperationException($"{generation.CachedTokens} tokens were cached and {generation.OutputTokens - 1} steps made, expected 0 and {steps}");
        return new AnswerTimes(generation.PrefillTime.TotalSeconds, steps == 0 ? 0 : generation.DecodeTime.TotalSeconds / steps);
    }

    /// <summary>The best prefill and the best decoding of some answers.</summary>
    public async Task<AnswerTimes> Best(int rounds, int prompt, int steps)
    {
        AnswerTimes best = await Answer(prompt, steps);
        for (int round = 1; round < rounds; round++)
        {
            AnswerTimes next = await Answer(prompt, steps);
            best = new AnswerTimes(Math.Min(best.Prefill, next.Prefill), Math.Min(best.Step, next.Step));
        }

        return best;
    }

    public void Dispose() => Model.Dispose();
}
