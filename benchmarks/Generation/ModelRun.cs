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

    /// <summary>A prompt of random tokens, none like one before.</summary>
    public int[] Prompt(int length)
    {
        int vocabulary = Model.Config.VocabularySize;
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => _random.Next(vocabulary))];
        tokens[0] = ++_prompts % vocabulary;
        return tokens;
    }

    /// <summary>Answers a new prompt of so many tokens; the first token of the output belongs to the prefill, each further one is a step of decoding.</summary>
    public Task<AnswerTimes> Answer(int prompt, int steps) => Answer(Prompt(prompt), steps);

    /// <summary>Answers a prompt; what the KV cache holds of it is used.</summary>
    public async Task<AnswerTimes> Answer(int[] tokens, int steps)
    {
        var generation = Model.Generate(new ModelPrompt(tokens), new GenerationOptions { MaxTokens = steps + 1, IgnoreEndTokens = true });
        await foreach (GeneratedToken _ in generation)
        {
        }

        if (generation.OutputTokens != steps + 1)
            throw new InvalidOperationException($"{generation.OutputTokens - 1} steps were made, expected {steps}");
        return new AnswerTimes(generation.PrefillTime.TotalSeconds, steps == 0 ? 0 : generation.DecodeTime.TotalSeconds / steps);
    }

    public void Dispose() => Model.Dispose();
}
