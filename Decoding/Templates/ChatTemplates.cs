using System.Diagnostics.CodeAnalysis;

namespace Portable.Decoding.Templates;

/// <summary>
/// The chat templates of a model by name. Most models have one, called <c>default</c>; some have one more for requests
/// with tools, <c>tool_use</c>, or for documents, <c>rag</c>. Immutable and thread-safe.
/// </summary>
public sealed class ChatTemplates
{
    /// <summary>The name of the template that a model always has.</summary>
    public const string DefaultName = "default";

    /// <summary>The name of the template for requests with tools.</summary>
    public const string ToolUseName = "tool_use";

    private readonly Dictionary<string, Lazy<ChatTemplate>> _named;

    /// <summary>A model's only template.</summary>
    public ChatTemplates(ChatTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        Default = template;
        _named = new(StringComparer.Ordinal) { [DefaultName] = new Lazy<ChatTemplate>(template) };
        Names = [DefaultName];
    }

    /// <summary>Templates of which one is the default. The others are parsed when they are asked for: one that nobody uses may be no template.</summary>
    /// <param name="sources">The text of each by its name, and the name that its errors give.</param>
    /// <exception cref="TemplateException">The default one is no template.</exception>
    internal ChatTemplates(IEnumerable<KeyValuePair<string, (string Source, string Label)>> sources)
    {
        _named = sources.ToDictionary(
            s => s.Key, s => new Lazy<ChatTemplate>(() => ChatTemplate.Parse(s.Value.Source, s.Value.Label)), StringComparer.Ordinal);
        Default = _named[DefaultName].Value;
        Names = [.. _named.Keys.Order(StringComparer.Ordinal)];
    }

    /// <summary>The template called <c>default</c>.</summary>
    public ChatTemplate Default { get; }

    /// <summary>The names of all, in ordinal order.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The template of a request, chosen as transformers does: with tools the one called <c>tool_use</c> where there is one, else the default.</summary>
    /// <param name="hasTools">Whether the request shows tools to the model.</param>
    /// <exception cref="TemplateException">It is no template.</exception>
    public ChatTemplate For(bool hasTools) => hasTools && TryGet(ToolUseName, out ChatTemplate? template) ? template : Default;

    /// <summary>The template of a name; false where there is none.</summary>
    /// <exception cref="TemplateException">It is no template.</exception>
    public bool TryGet(string name, [NotNullWhen(true)] out ChatTemplate? template)
    {
        ArgumentNullException.ThrowIfNull(name);
        template = _named.TryGetValue(name, out Lazy<ChatTemplate>? found) ? found.Value : null;
        return template is not null;
    }
}
