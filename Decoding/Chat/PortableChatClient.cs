using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Portable.Decoding.Chat;
using Portable.Decoding.Templates;
using Portable.Decoding.Tokenization;

namespace Portable.Decoding;

/// <summary>
/// A model as <see cref="IChatClient"/>. Thread-safe; requests take turns. Images are <see cref="DataContent"/>, text
/// inside &lt;think&gt; is <see cref="TextReasoningContent"/>, the last update carries the usage. Tools are shown to the
/// model but never invoked here. The default is greedy: without a temperature the same request gives the same answer.
/// </summary>
public sealed class PortableChatClient : IChatClient
{
    private readonly IModelSource _source;
    private readonly ChatClientMetadata _metadata;

    /// <summary>A client of a loaded model, which it does not own.</summary>
    public PortableChatClient(PortableModel model) : this(new LoadedModel(model))
    {
    }

    internal PortableChatClient(IModelSource source)
    {
        _source = source;
        _metadata = new ChatClientMetadata("portable", null, source.Name);
    }

    /// <inheritdoc/>
    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        PortableModel model = await _source.GetAsync(cancellationToken).ConfigureAwait(false);
        ChatMessage[] conversation = [.. messages];
        ChatTemplates templates = model.ChatTemplates ?? throw (model.TemplateProblem is { } problem
            ? new UnsupportedException(problem.Feature, problem.Reason)
            : new UnsupportedException(
                "A conversation", $"{model.ModelId} has no chat template; use {nameof(PortableModel)}.{nameof(PortableModel.Generate)} with a plain prompt"));
        ChatRequestOptions request = ChatRequestOptions.Read(options, templates, model.ModelId, this);
        // Decoding and resizing images, and rendering, are work for the pool rather than for the caller's thread.
        ChatPromptBuilder.Result built = await Task.Run(
            () => new ChatPromptBuilder(model).Build(conversation, options?.Instructions, request, cancellationToken), cancellationToken).ConfigureAwait(false);
        Generation generation = model.Generate(built.Prompt, request.Generation, cancellationToken);

        var output = new OutputText(
            model.Tokenizer.CreateStream(skipSpecialTokens: true), request.StopSequences, built.Text.AsSpan().TrimEnd().EndsWith("<think>", StringComparison.Ordinal));
        var pieces = new Queue<(bool IsThinking, string Text)>();
        void Receive(bool isThinking, string text) => pieces.Enqueue((isThinking, text));
        var logProbabilities = request.Generation.Sampling.TopLogProbabilities is null ? null : new List<GeneratedToken>();
        string responseId = Guid.NewGuid().ToString("N"), messageId = Guid.NewGuid().ToString("N");
        int outputTokens = 0, thinkingTokens = 0;

        await foreach (GeneratedToken token in generation.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            outputTokens++;
            logProbabilities?.Add(token);
            output.Append(token.Token, Receive);
            if (output.IsThinking)
                thinkingTokens++;
            foreach (ChatResponseUpdate update in Updates())
                yield return update;
            if (output.IsStopped)
                break;
        }

        output.Flush(Receive);
        if (logProbabilities is { Count: > 0 })
            pieces.Enqueue((false, ""));
        foreach (ChatResponseUpdate update in Updates())
            yield return update;
        // Counted here, for after a stop string the engine may have been a few tokens ahead.
        ChatResponseUpdate last = Update(new UsageContent(new UsageDetails
        {
            InputTokenCount = built.Prompt.Tokens.Count,
            OutputTokenCount = outputTokens,
            TotalTokenCount = built.Prompt.Tokens.Count + outputTokens,
            CachedInputTokenCount = generation.CachedTokens,
            ReasoningTokenCount = thinkingTokens,
        }));
        last.FinishReason = output.IsStopped || generation.End == GenerationEnd.EndToken ? ChatFinishReason.Stop : ChatFinishReason.Length;
        last.RawRepresentation = generation;
        yield return last;

        IEnumerable<ChatResponseUpdate> Updates()
        {
            while (pieces.TryDequeue(out (bool IsThinking, string Text) piece))
            {
                if (piece.IsThinking && !request.ShowsReasoning)
                    continue;
                ChatResponseUpdate update = Update(piece.IsThinking ? new TextReasoningContent(piece.Text) : new TextContent(piece.Text));
                if (logProbabilities is { Count: > 0 })
                {
                    update.RawRepresentation = logProbabilities.ToArray();
                    logProbabilities.Clear();
                }

                yield return update;
            }
        }

        ChatResponseUpdate Update(AIContent content) => new(ChatRole.Assistant, [content])
        {
            ResponseId = responseId,
            MessageId = messageId,
            ModelId = model.ModelId,
            CreatedAt = DateTimeOffset.UtcNow,
        };
    }

    /// <inheritdoc/>
    object? IChatClient.GetService(Type serviceType, object? serviceKey)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        if (serviceType == typeof(ChatClientMetadata))
            return _metadata;
        if (serviceType.IsInstanceOfType(this))
            return this;
        if (_source is LoadedModel loaded)
        {
            PortableModel model = loaded.GetAsync(CancellationToken.None).Result;
            if (serviceType == typeof(PortableModel))
                return model;
            if (serviceType == typeof(Tokenizer))
                return model.Tokenizer;
        }

        return null;
    }

    /// <summary>Does nothing: the model belongs to whoever loaded it.</summary>
    public void Dispose()
    {
    }
}
