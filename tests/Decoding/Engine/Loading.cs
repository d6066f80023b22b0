using Microsoft.Extensions.AI;
using Portable.Backends.Cpu;
using Portable.Decoding;

namespace Portable.Tests.Engine;

/// <summary>Loading and asking small models, as the tests of engine and chat do it.</summary>
internal static class Loading
{
    public static Task<PortableModel> LoadAsync(
        TinyModel tiny, IBackend? backend = null, Action<ModelOptions>? configure = null, CancellationToken cancellation = default,
        IProgress<LoadProgress>? progress = null) =>
        LoadAsync(tiny.Write(), backend, configure, cancellation, progress);

    public static Task<PortableModel> LoadAsync(
        string path, IBackend? backend = null, Action<ModelOptions>? configure = null, CancellationToken cancellation = default,
        IProgress<LoadProgress>? progress = null)
    {
        backend ??= new CpuBackend();
        ModelOptions options = Options(path, backend.Id, configure);
        return PortableModel.LoadAsync(options, new BackendSelector([backend]), progress: progress, cancellation: cancellation);
    }

    public static ModelOptions Options(string path, string backend, Action<ModelOptions>? configure = null)
    {
        var options = new ModelOptions
        {
            Path = path, ModelId = "tiny", Backend = backend, Numerics = NumericMode.Reference, Threads = 1, PrefillChunkTokens = 16,
        };
        configure?.Invoke(options);
        return options;
    }

    public static ModelPrompt Prompt(PortableModel model, string text) => new(model.Tokenizer.Encode(text, true, Portable.Decoding.Tokenization.SpecialTokens.Parse));

    /// <summary>The tokens of an output; end tokens do not end it, so that it is as long as asked for.</summary>
    public static async Task<int[]> TokensAsync(
        PortableModel model, ModelPrompt prompt, int count = 12, SamplingOptions? sampling = null, CancellationToken cancellation = default)
    {
        var tokens = new List<int>();
        var options = new GenerationOptions { MaxTokens = count, IgnoreEndTokens = true, Sampling = sampling ?? SamplingOptions.Greedy };
        await foreach (GeneratedToken token in model.Generate(prompt, options, cancellation))
            tokens.Add(token.Token);
        return [.. tokens];
    }

    public static async Task<ChatResponse> AskAsync(PortableModel model, string text, ChatOptions? options = null) =>
        await new PortableChatClient(model).GetResponseAsync(text, options ?? new ChatOptions { MaxOutputTokens = 12 });
}
