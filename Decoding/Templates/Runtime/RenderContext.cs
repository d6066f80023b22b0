using System.Runtime.CompilerServices;
using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>All that one rendering changes: its output, its budget, the line it is at. Used by one thread.</summary>
internal sealed class RenderContext
{
    private readonly string _template;
    private readonly List<(int Start, int Length)> _spans = [];
    private readonly StringBuilder _root = new();
    private long _steps;
    private long _memory;
    private int _depth;

    public RenderContext(string template, TemplateOptions options)
    {
        _template = template;
        Options = options;
        Output = _root;
    }

    public TemplateOptions Options { get; }

    /// <summary>The line of the statement or call at work, for errors.</summary>
    public int Line { get; set; }

    /// <summary>Where text goes now: the rendering itself, or a capture of a macro or a block.</summary>
    public StringBuilder Output { get; private set; }

    /// <summary>Where generation blocks went, in UTF-16 units of the output.</summary>
    public IReadOnlyList<(int Start, int Length)> Spans => _spans;

    public string Result => _root.ToString();

    public TemplateException Error(TemplateErrorKind kind, string problem) => new(kind, problem, _template, Line);

    public TemplateException TypeError(string problem) => Error(TemplateErrorKind.Type, problem);

    public void Step(long count = 1)
    {
        if ((_steps += count) > Options.MaxSteps)
            throw Error(TemplateErrorKind.Limit, $"the template takes more than {Options.MaxSteps} steps");
    }

    /// <summary>Counts bytes before they are allocated, and the time to fill them.</summary>
    public void Allocate(long bytes)
    {
        if (bytes > Options.MaxMemory || (_memory += bytes) > Options.MaxMemory)
            throw Error(TemplateErrorKind.Limit, $"the template makes values of more than {Options.MaxMemory} bytes");
        Step(bytes >> 9);
    }

    /// <summary>Counts a string before it is made.</summary>
    public void AllocateText(long length) => Allocate(2 * length + 24);

    /// <summary>Counts a list before it is made, with the boxes of its elements.</summary>
    public void AllocateList(long count) => Allocate(32 * count + 48);

    /// <summary>
    /// Goes down some levels of nodes. Only what recurses at run time needs it: the nesting of the source is bounded
    /// when it is parsed. An error ends the rendering, so <see cref="Leave"/> need not run then.
    /// </summary>
    public void Enter(int levels)
    {
        if ((_depth += levels) > Options.MaxDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw Error(TemplateErrorKind.Limit, "macros, loops or values are nested too deeply");
    }

    public void Leave(int levels) => _depth -= levels;

    public void Write(string text)
    {
        if (Output.Length + (long)text.Length > Options.MaxOutput)
            throw Error(TemplateErrorKind.Limit, $"the output is longer than {Options.MaxOutput} characters");
        Allocate(2 * (long)text.Length);
        Output.Append(text);
    }

    /// <summary>Sends output to a fresh buffer; gives the buffer to go back to.</summary>
    public StringBuilder BeginCapture()
    {
        Step(4);
        StringBuilder outer = Output;
        Output = new StringBuilder();
        return outer;
    }

    public string EndCapture(StringBuilder outer)
    {
        AllocateText(Output.Length);
        string text = Output.ToString();
        Output = outer;
        return text;
    }

    public void AddSpan(int length) => _spans.Add((_root.Length, length));
}
