using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Portable.Decoding.Templates;

namespace Portable.Decoding.Chat;

/// <summary>
/// What a request's options mean to the engine. An option that is not supported is refused by name, never ignored.
/// </summary>
internal sealed record ChatRequestOptions
{
    public required GenerationOptions Generation { get; init; }

    public required IReadOnlyList<string> StopSequences { get; init; }

    /// <summary>The one of the model's templates that the request is rendered with.</summary>
    public required ChatTemplate Template { get; init; }

    public required IReadOnlyList<(string Name, TemplateValue Value)> TemplateArguments { get; init; }

    public required IReadOnlyList<AIFunctionDeclaration> Tools { get; init; }

    public required bool ShowsReasoning { get; init; }

    public static ChatRequestOptions Read(ChatOptions? options, ChatTemplates templates, string modelId, IChatClient client)
    {
        PortableRequestOptions raw = new();
        if (options?.RawRepresentationFactory?.Invoke(client) is { } representation)
            raw = representation as PortableRequestOptions ?? throw Unsupported(
                nameof(ChatOptions.RawRepresentationFactory), $"it returned {representation.GetType().Name}, expected {nameof(PortableRequestOptions)}");
        ChatTemplate template = Choose(options, raw.Template, templates);
        var arguments = new List<(string, TemplateValue)>();
        foreach ((string name, object? value) in raw.TemplateArguments ?? new Dictionary<string, object?>())
            arguments.Add((name, TemplateArgument(name, value)));
        raw = ReadAdditional(options?.AdditionalProperties, raw, template, arguments);
        bool showsReasoning = ReadReasoning(options?.Reasoning, template, arguments);
        Refuse(options, modelId);
        return new ChatRequestOptions
        {
            Generation = new GenerationOptions
            {
                MaxTokens = options?.MaxOutputTokens,
                Sampling = new SamplingOptions
                {
                    Temperature = options?.Temperature ?? 0,
                    TopK = options?.TopK ?? 0,
                    TopP = options?.TopP ?? 1,
                    MinP = raw.MinP ?? 0,
                    RepetitionPenalty = raw.RepetitionPenalty ?? 1,
                    PresencePenalty = options?.PresencePenalty ?? 0,
                    FrequencyPenalty = options?.FrequencyPenalty ?? 0,
                    LogitBias = raw.LogitBias,
                    Seed = options?.Seed,
                    TopLogProbabilities = raw.TopLogProbabilities,
                },
            },
            StopSequences = ReadStops(options?.StopSequences),
            Template = template,
            TemplateArguments = arguments,
            Tools = ReadTools(options, template),
            ShowsReasoning = showsReasoning,
        };
    }

    private static void Refuse(ChatOptions? options, string modelId)
    {
        if (options is null)
            return;
        if (options.ResponseFormat is not (null or ChatResponseFormatText))
            throw Unsupported(nameof(ChatOptions.ResponseFormat), "structured output comes with a later version; only text is possible");
        if (options.ConversationId is not null)
            throw Unsupported(nameof(ChatOptions.ConversationId), "send all messages with each request; the common beginning is kept in the KV cache by itself");
        if (options.ModelId is { } wanted && !string.Equals(wanted, modelId, StringComparison.OrdinalIgnoreCase))
            throw Unsupported(nameof(ChatOptions.ModelId), $"this client answers as '{modelId}', not as '{wanted}'");
        if (options.AllowMultipleToolCalls is not null)
            throw Unsupported(nameof(ChatOptions.AllowMultipleToolCalls), "the number of tool calls cannot be constrained yet");
        if (options.ToolMode is RequiredChatToolMode)
            throw Unsupported(nameof(ChatOptions.ToolMode), "a tool call cannot be forced yet; Auto and None are possible");
#pragma warning disable MEAI001 // Experimental members are read only to refuse them.
        if (options.ContinuationToken is not null || options.AllowBackgroundResponses is true)
            throw Unsupported(nameof(ChatOptions.AllowBackgroundResponses), "answers are streamed to the caller");
#pragma warning restore MEAI001
    }

    private static IReadOnlyList<string> ReadStops(IList<string>? stops)
    {
        if (stops is null)
            return [];
        if (stops.Count > 64 || stops.Any(s => string.IsNullOrEmpty(s) || s.Length > 1024))
            throw new InvalidInputException("option StopSequences", "expected up to 64 strings of 1 to 1024 characters");
        return [.. stops];
    }

    private static ChatTemplate Choose(ChatOptions? options, string? name, ChatTemplates templates)
    {
        if (name is null)
            return templates.For(hasTools: ShownTools(options).Count > 0);
        return templates.TryGet(name, out ChatTemplate? named) ? named : throw new InvalidInputException(
            $"option {nameof(PortableRequestOptions.Template)}", $"the model has no chat template '{name}'; there are {string.Join(", ", templates.Names.Select(n => $"'{n}'"))}");
    }

    private static IList<AITool> ShownTools(ChatOptions? options) => options?.Tools is { } tools && options.ToolMode is not NoneChatToolMode ? tools : [];

    private static IReadOnlyList<AIFunctionDeclaration> ReadTools(ChatOptions? options, ChatTemplate template)
    {
        IList<AITool> tools = ShownTools(options);
        if (tools.Count == 0)
            return [];
        if (!template.Variables.Contains("tools"))
            throw Unsupported(nameof(ChatOptions.Tools), "the model's chat template knows no tools");
        return [.. tools.Select(t => t as AIFunctionDeclaration
            ?? throw Unsupported(nameof(ChatOptions.Tools), $"'{t.Name}' is a {t.GetType().Name}; only function declarations can be shown to the model"))];
    }

    private static bool ReadReasoning(ReasoningOptions? reasoning, ChatTemplate template, List<(string, TemplateValue)> arguments)
    {
        if (reasoning is null)
            return true;
        if (reasoning.Output == ReasoningOutput.Summary)
            throw Unsupported(nameof(ChatOptions.Reasoning), "reasoning is shown in full or not at all, not as a summary");
        if (reasoning.Effort is { } effort)
        {
            if (template.Variables.Contains("reasoning_effort") && effort != ReasoningEffort.None)
                arguments.Add(("reasoning_effort", effort switch { ReasoningEffort.Low => "low", ReasoningEffort.Medium => "medium", _ => "high" }));
            else if (template.Variables.Contains("enable_thinking"))
                arguments.Add(("enable_thinking", effort != ReasoningEffort.None));
            else if (effort != ReasoningEffort.None)
                throw Unsupported(nameof(ChatOptions.Reasoning), "the model's chat template has no switch for reasoning");
        }

        return reasoning.Output != ReasoningOutput.None;
    }

    private static PortableRequestOptions ReadAdditional(
        AdditionalPropertiesDictionary? properties, PortableRequestOptions raw, ChatTemplate template, List<(string, TemplateValue)> arguments)
    {
        foreach ((string name, object? value) in properties ?? [])
        {
            switch (name)
            {
                case "min_p":
                    raw = raw with { MinP = raw.MinP ?? Number(name, value) };
                    break;
                case "repetition_penalty":
                    raw = raw with { RepetitionPenalty = raw.RepetitionPenalty ?? Number(name, value) };
                    break;
                case "top_logprobs":
                    raw = raw with { TopLogProbabilities = raw.TopLogProbabilities ?? Integer(name, value) };
                    break;
                case "logit_bias":
                    raw = raw with { LogitBias = raw.LogitBias ?? Biases(name, value) };
                    break;
                case "chat_template_kwargs" when value is IEnumerable<KeyValuePair<string, object?>> kwargs:
                    arguments.AddRange(kwargs.Select(k => (k.Key, TemplateArgument(k.Key, k.Value))));
                    break;
                case var _ when name is not ("messages" or "tools") && template.Variables.Contains(name):
                    arguments.Add((name, TemplateArgument(name, value)));
                    break;
                default:
                    throw Unsupported($"{nameof(ChatOptions.AdditionalProperties)}[\"{name}\"]",
                        "known are min_p, repetition_penalty, logit_bias, top_logprobs, chat_template_kwargs and the variables of the chat template");
            }
        }

        return raw;
    }

    private static float Number(string name, object? value)
    {
        switch (value)
        {
            case JsonElement { ValueKind: JsonValueKind.Number } json:
                return json.GetSingle();
            case byte or short or int or long or float or double or decimal:
                return Convert.ToSingle(value, CultureInfo.InvariantCulture);
            default:
                throw new InvalidInputException($"option {name}", $"expected a number, found {value ?? "null"}");
        }
    }

    private static int Integer(string name, object? value)
    {
        float number = Number(name, value);
        return number == MathF.Truncate(number) && Math.Abs(number) <= 1 << 24
            ? (int)number
            : throw new InvalidInputException($"option {name}", $"expected an integer, found {value}");
    }

    private static Dictionary<int, float> Biases(string name, object? value)
    {
        var biases = new Dictionary<int, float>();
        switch (value)
        {
            case IEnumerable<KeyValuePair<int, float>> pairs:
                foreach ((int token, float bias) in pairs)
                    biases[token] = bias;
                return biases;
            case JsonElement { ValueKind: JsonValueKind.Object } json:
                foreach (JsonProperty pair in json.EnumerateObject())
                {
                    if (!int.TryParse(pair.Name, CultureInfo.InvariantCulture, out int token))
                        throw new InvalidInputException($"option {name}", $"'{pair.Name}' is no token id");
                    biases[token] = Number(name, pair.Value);
                }

                return biases;
            default:
                throw new InvalidInputException($"option {name}", "expected token ids with biases");
        }
    }

    private static TemplateValue TemplateArgument(string name, object? value) => value switch
    {
        null => TemplateValue.None,
        TemplateValue ready => ready,
        string text => text,
        bool flag => flag,
        int number => number,
        long number => number,
        float number => (double)number,
        double number => number,
        JsonElement json => TemplateValue.FromJson(json),
        _ => throw new InvalidInputException($"template argument {name}", $"expected a string, boolean, number or JSON, found {value.GetType().Name}"),
    };

    private static UnsupportedException Unsupported(string option, string reason) => new($"ChatOptions.{option}", reason);
}
