using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Portable.Checkpoints;
using Portable.Decoding.Architecture;
using Portable.Decoding.Engine;
using Portable.Decoding.Model;
using Portable.Decoding.Templates;
using Portable.Decoding.Tokenization;

namespace Portable.Decoding;

/// <summary>
/// A loaded model: tokenizer, chat template, weights on a device, a KV cache, and the thread that works on them.
/// Thread-safe: one output is produced at a time, further calls wait their turn and can be cancelled while they wait.
/// The keys and values of a conversation's beginning are kept for its next turn. Disposing ends a running call with
/// <see cref="ObjectDisposedException"/> and gives all memory back.
/// </summary>
public sealed partial class PortableModel : IDisposable
{
    private readonly ConcurrentDictionary<ChatTemplate, bool> _takesText = new();
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _closing = new();
    private readonly List<IDisposable> _owned = [];
    private readonly EngineThread _engine;
    private readonly DecoderSession _session;
    private readonly GenerationLoop _loop;
    private Exception? _fault;
    private int _isDisposed;

    private PortableModel(
        ModelOptions options, ModelDescription description, Device device, MemoryPlan plan, ILogger logger,
        IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        _logger = logger;
        Device = device;
        Plan = plan;
        Path = description.Checkpoint.Path;
        ModelId = options.ModelId ?? System.IO.Path.GetFileNameWithoutExtension(System.IO.Path.TrimEndingDirectorySeparator(description.Checkpoint.Path));
        Config = description.Decoder.Config;
        Task<Tokenizer> reading = Task.Run(() => ReadTokenizer(description), CancellationToken.None);
        try
        {
            // Weights of an engine file are there at once; those of a checkpoint are not worth packing when the tokenizer is broken.
            if (description.Checkpoint.Engine is null)
                reading.GetAwaiter().GetResult();
            ChatTemplates = ReadTemplates(description.Checkpoint, out UnsupportedException? problem);
            TemplateProblem = problem;
            // Weights of an engine file are used where they lie; what is owned first is given back last.
            if (description.Checkpoint.KeepMapped() is { } mapping)
                Own(mapping);
            CommandStream stream = Own(device.CreateStream());
            var uploader = new WeightUploader(description.Checkpoint, device, stream, progress);
            DecoderWeights weights = Own(DecoderWeights.Load(description.Checkpoint, description.Decoder, uploader, cancellation));
            if (description.Images is { } images)
                Images = Own(images.Load(device, uploader, cancellation));
            uploader.Complete();
            Decoder = new Decoder(Config, weights);
            _session = Own(new DecoderSession(
                device, stream, Decoder, plan.ContextTokens, options.PrefillChunkTokens));
            Tokenizer = reading.GetAwaiter().GetResult();
            SpecialTokens = ModelFiles.ReadSpecialTokens(description.Checkpoint, Tokenizer);
            _loop = new GenerationLoop(_session, stream, Images, Config.Rope.Axes, Config.EndTokens, Config.VocabularySize);
            _engine = new EngineThread($"portable {ModelId}");
        }
        catch
        {
            FreeOwned();
            // Nobody is left to be told of a second error.
            _ = reading.ContinueWith(static failed => failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            throw;
        }

        T Own<T>(T resource) where T : IDisposable
        {
            _owned.Add(resource);
            return resource;
        }
    }

    private static Tokenizer ReadTokenizer(ModelDescription description)
    {
        Tokenizer tokenizer = ModelFiles.ReadTokenizer(description.Checkpoint);
        int rows = description.Decoder.Config.VocabularySize;
        return tokenizer.VocabularySize <= rows ? tokenizer
            : throw new InvalidModelException(description.Checkpoint.Path, "tokenizer", $"it has {tokenizer.VocabularySize} tokens, the embedding only {rows} rows");
    }

    private static ChatTemplates? ReadTemplates(Checkpoint checkpoint, out UnsupportedException? problem)
    {
        problem = null;
        try
        {
            return ModelFiles.ReadTemplates(checkpoint);
        }
        catch (UnsupportedException error)
        {
            // Plain prompts need no template; a conversation says what is wrong.
            problem = error;
            return null;
        }
    }

    private bool FindOutWhetherItTakesText(ChatTemplate template)
    {
        const string Probe = "\uFDD0probe\uFDD0";
        var variables = new Dictionary<string, TemplateValue>
        {
            ["messages"] = TemplateValue.List([TemplateValue.Object(("role", "user"), ("content", Probe))]), ["add_generation_prompt"] = true,
        };
        foreach ((string name, string token) in SpecialTokens)
            variables[name] = token;
        try
        {
            return template.Render(variables).Contains(Probe, StringComparison.Ordinal);
        }
        catch (TemplateException)
        {
            // One for tools may fail without any.
            variables["tools"] = TemplateValue.List([TemplateValue.Object(("type", "function"), ("function", TemplateValue.Object(
                ("name", "probe"), ("description", "probe"), ("parameters", TemplateValue.Object(("type", "object"), ("properties", TemplateValue.Object()))))))]);
        }

        try
        {
            return template.Render(variables).Contains(Probe, StringComparison.Ordinal);
        }
        catch (TemplateException)
        {
            // What is wrong with it is said when a conversation is rendered.
            return true;
        }
    }

    /// <summary>The file or folder it was loaded from.</summary>
    public string Path { get; }

    /// <summary>Its name.</summary>
    public string ModelId { get; }

    /// <summary>The architecture as the file calls it.</summary>
    public string Architecture => Config.Architecture;

    /// <summary>Prompt and output tokens that fit together.</summary>
    public int ContextTokens => _session.ContextTokens;

    /// <summary>The device that it runs on.</summary>
    public DeviceInfo DeviceInfo => Device.Info;

    /// <summary>How it computes.</summary>
    public NumericMode Numerics => Device.Numerics;

    /// <summary>The memory that it was given.</summary>
    public MemoryPlan Plan { get; }

    /// <summary>Its tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Its default chat template, or null: then only plain prompts are possible.</summary>
    public ChatTemplate? ChatTemplate => ChatTemplates?.Default;

    /// <summary>Its chat templates by name, of which a request with tools may take another than the default; or null.</summary>
    public ChatTemplates? ChatTemplates { get; }

    /// <summary>Whether it can look at images.</summary>
    public bool TakesImages => Images is not null;

    internal Device Device { get; }

    internal DecoderConfig Config { get; }

    internal Decoder Decoder { get; }

    internal IImageEncoder? Images { get; }

    /// <summary>Why a conversation is not possible where the files tell how it is written, in a way that is not known.</summary>
    internal UnsupportedException? TemplateProblem { get; }

    internal IReadOnlyList<(string Name, string Token)> SpecialTokens { get; }

    /// <summary>
    /// Whether one of its chat templates shows a message whose content is a text; those of some vision-language models know only lists of parts. Found out
    /// by rendering one.
    /// </summary>
    internal bool TakesText(ChatTemplate template) => _takesText.GetOrAdd(template, FindOutWhetherItTakesText);

    /// <summary>Loads a model on a thread of the pool.</summary>
    /// <param name="options">Which, and how.</param>
    /// <param name="selector">The backends to choose from.</param>
    /// <param name="defaults">What <paramref name="options"/> leave open; null takes the defaults.</param>
    /// <param name="imageEncoders">Vision packages; without one a vision-language model answers text only.</param>
    /// <param name="logger">Told which device was chosen and what was loaded.</param>
    /// <param name="progress">Told how far loading has come, on the loading thread.</param>
    /// <param name="cancellation">Cancels; what was loaded is freed.</param>
    public static Task<PortableModel> LoadAsync(
        ModelOptions options, BackendSelector selector, PortableOptions? defaults = null, IEnumerable<IImageEncoderFactory>? imageEncoders = null,
        ILogger<PortableModel>? logger = null, IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(selector);
        return Task.Run(
            () =>
            {
                long begin = System.Diagnostics.Stopwatch.GetTimestamp();
                ILogger log = logger ?? NullLogger<PortableModel>.Instance;
                (string backend, DeviceOptions deviceOptions) = options.Resolve(defaults ?? new PortableOptions());
                using ModelDescription description = ModelDescription.Open(options, imageEncoders ?? []);
                SelectedDevice selected = selector.Select(backend, deviceOptions, description.Requirements);
                Device device = selected.Open(deviceOptions);
                try
                {
                    MemoryPlan plan = description.Plan(device, options);
                    if (!plan.Fits)
                        throw new DeviceOutOfMemoryException(device.Info.Id, $"a context of {plan.ContextTokens} tokens with the model", plan.TotalBytes, plan.BudgetBytes);
                    var model = new PortableModel(options, description, device, plan, log, progress, cancellation);
                    LogLoaded(log, model.ModelId, model.Architecture, device.Info.Id, device.Numerics, plan.ContextTokens,
                        System.Diagnostics.Stopwatch.GetElapsedTime(begin).TotalSeconds);
                    return model;
                }
                catch
                {
                    device.Dispose();
                    throw;
                }
            },
            cancellation);
    }

    /// <summary>What a model would take on the device that would be chosen, without loading it.</summary>
    public static MemoryPlan PlanMemory(
        ModelOptions options, BackendSelector selector, PortableOptions? defaults = null, IEnumerable<IImageEncoderFactory>? imageEncoders = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(selector);
        (string backend, DeviceOptions deviceOptions) = options.Resolve(defaults ?? new PortableOptions());
        using ModelDescription description = ModelDescription.Open(options, imageEncoders ?? []);
        using Device device = selector.Select(backend, deviceOptions, description.Requirements).Open(deviceOptions);
        return description.Plan(device, options);
    }

    /// <summary>
    /// Prepares an output; the work begins when it is enumerated. A prompt that can never fit fails here.
    /// </summary>
    /// <exception cref="PromptTooLongException">The prompt leaves no room for one token.</exception>
    /// <exception cref="InvalidInputException">The prompt is empty, names a token that does not exist, or an option is out of range.</exception>
    public Generation Generate(ModelPrompt prompt, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed) != 0, this);
        options ??= new GenerationOptions();
        options.Sampling.Validate(Config.VocabularySize);
        if (options.MaxTokens is < 1)
            throw new InvalidInputException("option MaxTokens", $"expected 1 or more, found {options.MaxTokens}");
        if (prompt.Tokens.Count == 0)
            throw new InvalidInputException("prompt", "it has no tokens");
        if (prompt.Tokens.Count >= ContextTokens)
            throw new PromptTooLongException(prompt.Tokens.Count, ContextTokens - 1, "the context (less one token of output)");
        if (prompt.Images.Count > 0 && Images is null)
            throw new UnsupportedException("An image in the prompt", $"{ModelId} has no vision part, or the vision package was not added");
        for (int i = 0; i < prompt.Tokens.Count; i++)
        {
            if ((uint)prompt.Tokens[i] >= (uint)Config.VocabularySize)
                throw new InvalidInputException($"prompt token {i}", $"{prompt.Tokens[i]} is outside the vocabulary of {Config.VocabularySize}");
        }

        return new Generation(prompt, options, RunAsync, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        _closing.Cancel();
        _engine.Dispose();
        FreeOwned();
        Device.Dispose();
    }

    private async Task RunAsync(Generation generation, CancellationToken cancellation)
    {
        try
        {
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _closing.Token);
            await _turn.WaitAsync(ending.Token).ConfigureAwait(false);
            try
            {
                if (_fault is { } fault)
                    throw new DeviceException(Device.Info.Id, "Generate", "an earlier call lost the device", isDeviceLost: true, fault);
                await _engine.RunAsync(() => _loop.Run(generation, ending.Token)).ConfigureAwait(false);
            }
            catch (DeviceException lost) when (lost.IsDeviceLost)
            {
                _fault ??= lost;
                throw;
            }
            finally
            {
                _turn.Release();
            }
        }
        catch (Exception error) when (_closing.IsCancellationRequested && error is OperationCanceledException or InvalidOperationException)
        {
            throw new ObjectDisposedException(ModelId, "the model was disposed of while it generated");
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
        catch (Exception error)
        {
            LogFailed(_logger, ModelId, error);
            throw;
        }
        finally
        {
            generation.Writer.TryComplete();
        }
    }

    private void FreeOwned()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
        _owned.Clear();
    }

    [LoggerMessage(10, LogLevel.Information, "Loaded {Model} ({Architecture}) on {Device}, {Numerics} numerics, context of {ContextTokens} tokens, in {Seconds:F2} s")]
    private static partial void LogLoaded(
        ILogger logger, string model, string architecture, string device, NumericMode numerics, int contextTokens, double seconds);

    [LoggerMessage(11, LogLevel.Error, "A generation of {Model} failed")]
    private static partial void LogFailed(ILogger logger, string model, Exception error);
}
