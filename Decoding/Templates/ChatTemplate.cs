namespace Portable.Decoding.Templates;

/// <summary>
/// A chat template: a program in the subset of Jinja that model repositories use, parsed once. It is sandboxed: it
/// reads the variables it is given and the clock, changes nothing, and its time, memory and stack are bounded by
/// <see cref="TemplateOptions"/>. Its values behave as Python's, since templates are written against Jinja2
/// with <c>trim_blocks</c> and <c>lstrip_blocks</c>, as transformers sets it up. Immutable and thread-safe.
/// </summary>
public sealed class ChatTemplate
{
    private const int MaxSource = 16 << 20;
    private readonly Block _body;
    private readonly Func<TemplateValue, TemplateValue>? _prepare;

    private ChatTemplate(string source, string name, Block body, IReadOnlySet<string> variables, Func<TemplateValue, TemplateValue>? prepare)
    {
        _prepare = prepare;
        Source = source;
        Name = name;
        _body = body;
        Variables = variables;
    }

    /// <summary>The text of the template.</summary>
    public string Source { get; }

    /// <summary>The name that errors give.</summary>
    public string Name { get; }

    /// <summary>
    /// The variables that the template reads and nowhere sets: where <c>tools</c> or <c>enable_thinking</c> is among
    /// them, the template takes notice of it.
    /// </summary>
    public IReadOnlySet<string> Variables { get; }

    /// <summary>Parses a template.</summary>
    /// <param name="source">The text, at most 16 Mi characters.</param>
    /// <param name="name">The name that errors give: a file or a metadata key.</param>
    /// <exception cref="TemplateException">The text is no template of the language, or exceeds a limit of nesting or size.</exception>
    public static ChatTemplate Parse(string source, string name = "chat_template") => Parse(source, name, null);

    /// <summary>Parses a template whose messages are brought into another form first: what a built-in one can't say in Jinja.</summary>
    internal static ChatTemplate Parse(string source, string name, Func<TemplateValue, TemplateValue>? prepare)
    {
        if (source.Length > MaxSource)
            throw new TemplateException(TemplateErrorKind.Limit, $"the template has {source.Length} characters; at most {MaxSource} are read", name, 0);
        Block body = new Parser(source, name).Parse(out IReadOnlySet<string> variables);
        return new ChatTemplate(source, name, body, variables, prepare);
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">What the template may read, by name.</param>
    /// <param name="options">The clock and the limits; the default ones where null.</param>
    /// <returns>The text, character by character what the reference implementation gives.</returns>
    /// <exception cref="TemplateException">The template failed, refused its input, or reached a limit.</exception>
    public string Render(IReadOnlyDictionary<string, TemplateValue> variables, TemplateOptions? options = null) =>
        RenderPrompt(variables, options).Text;

    /// <summary>Renders the template and says which parts of the text are the assistant's, where it marks them.</summary>
    /// <inheritdoc cref="Render"/>
    public RenderedPrompt RenderPrompt(IReadOnlyDictionary<string, TemplateValue> variables, TemplateOptions? options = null)
    {
        if (_prepare is not null && variables.TryGetValue("messages", out TemplateValue messages))
            variables = new Dictionary<string, TemplateValue>(variables, StringComparer.Ordinal) { ["messages"] = _prepare(messages) };
        var context = new RenderContext(Name, options ?? TemplateOptions.Default);
        context.Enter(_body.Depth);
        _body.Execute(context, new Scope(null, variables));
        return new RenderedPrompt(context.Result, context.Spans);
    }
}
