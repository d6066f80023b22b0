namespace Portable.Decoding.Templates;

/// <summary>
/// A conversation as chat templates expect it, and the steps that transformers takes around a template: the reasoning
/// of a message under both its names, special tokens as variables, and a last message left open.
/// </summary>
public sealed record ChatTemplateInput
{
    // transformers' own marker; its blank shows whether the template trims the end of a message.
    private const string Tag = "CONTINUE_FINAL_MESSAGE_TAG ";

    /// <summary>The messages: objects with <c>role</c>, <c>content</c> and what else the template reads.</summary>
    public required IReadOnlyList<TemplateValue> Messages { get; init; }

    /// <summary>The tools, a list of objects, or none.</summary>
    public TemplateValue Tools { get; init; }

    /// <summary>The documents, a list of objects, or none.</summary>
    public TemplateValue Documents { get; init; }

    /// <summary>Whether the prompt ends with the start of an answer.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Whether the last message stays open, so that the model goes on with it.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>The special tokens by variable name: <c>bos_token</c>, <c>eos_token</c> and the like.</summary>
    public IReadOnlyDictionary<string, TemplateValue>? SpecialTokens { get; init; }

    /// <summary>Further variables, such as <c>enable_thinking</c>; they win over the special tokens.</summary>
    public IReadOnlyDictionary<string, TemplateValue>? Arguments { get; init; }

    /// <summary>Renders the conversation.</summary>
    /// <exception cref="TemplateException">The template failed or refused the conversation, or its last message cannot stay open.</exception>
    public RenderedPrompt Render(ChatTemplate template, TemplateOptions? options = null)
    {
        List<TemplateValue> messages = [.. Messages.Select(WithReasoning)];
        string? final = null;
        if (ContinueFinalMessage)
        {
            if (messages.Count == 0)
                throw Unfinished(template, "there is no message to continue");
            messages[^1] = Open(template, messages[^1], out final);
        }

        var variables = new Dictionary<string, TemplateValue>(StringComparer.Ordinal);
        foreach ((string name, TemplateValue token) in SpecialTokens ?? new Dictionary<string, TemplateValue>())
            variables[name] = token;
        foreach ((string name, TemplateValue value) in Arguments ?? new Dictionary<string, TemplateValue>())
            variables[name] = value;
        variables["messages"] = TemplateValue.List(messages);
        variables["tools"] = Tools;
        variables["documents"] = Documents;
        variables["add_generation_prompt"] = AddGenerationPrompt;
        RenderedPrompt prompt = template.RenderPrompt(variables, options);
        return final is null ? prompt : Cut(template, prompt, final);
    }

    private static TemplateValue WithReasoning(TemplateValue message)
    {
        if (message.Raw is not PyDict members)
            return message;
        object? reasoning = null;
        foreach (string name in (ReadOnlySpan<string>)["reasoning_content", "thinking", "reasoning"])
        {
            if (members.TryGet(name, out reasoning) && reasoning is not null)
                break;
        }

        if (reasoning is null)
            return message;
        var completed = new PyDict();
        completed.Set("thinking", reasoning);
        foreach ((object? key, object? value) in members.Entries)
            completed.Set(key, value);
        completed.Set("reasoning_content", reasoning);
        return new TemplateValue(completed);
    }

    private static TemplateValue Open(ChatTemplate template, TemplateValue message, out string final)
    {
        if (!template.Source.Contains("content", StringComparison.Ordinal))
            throw Unfinished(template, "the template does not read the content of messages");
        if (message.Raw is not PyDict members || !members.TryGet("content", out object? content) || content is null)
            throw Unfinished(template, "the last message has no content");
        PyDict opened = members.Copy();
        if (content is string text)
        {
            final = text;
            opened.Set("content", text + Tag);
            return new TemplateValue(opened);
        }

        object?[] parts = content is PyList list ? [.. list.Items] : throw Unfinished(template, "the content of the last message is no text");
        for (int i = parts.Length - 1; i >= 0; i--)
        {
            if (parts[i] is PyDict part && part.TryGet("text", out object? value) && value is string partText)
            {
                PyDict openedPart = part.Copy();
                openedPart.Set("text", partText + Tag);
                parts[i] = openedPart;
                opened.Set("content", new PyList(parts));
                final = partText;
                return new TemplateValue(opened);
            }
        }

        throw Unfinished(template, "the last message has no text part");
    }

    private static RenderedPrompt Cut(ChatTemplate template, RenderedPrompt prompt, string final)
    {
        string text = prompt.Text;
        int at = text.LastIndexOf(Tag.TrimEnd(), StringComparison.Ordinal);
        if (at < 0 || !text.Contains(PyText.Strip(final), StringComparison.Ordinal))
            throw Unfinished(template, "the template does not render the last message as it is");
        bool blankKept = string.CompareOrdinal(text, at, Tag, 0, Tag.Length) == 0;
        string cut = blankKept ? text[..at] : PyText.Strip(text[..at], start: false);
        return new RenderedPrompt(cut, [.. prompt.AssistantSpans
            .Where(span => span.Start < cut.Length)
            .Select(span => (span.Start, Math.Min(span.Length, cut.Length - span.Start)))]);
    }

    private static TemplateException Unfinished(ChatTemplate template, string problem) =>
        new(TemplateErrorKind.Type, $"the last message cannot be continued: {problem}", template.Name, 0);
}
