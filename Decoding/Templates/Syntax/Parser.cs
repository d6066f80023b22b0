using System.Runtime.CompilerServices;

namespace Portable.Decoding.Templates;

/// <summary>
/// Parses a template by recursive descent. Nesting, the height of the tree and the number of nodes are bounded, so that
/// no source exhausts the stack, here or later.
/// </summary>
internal sealed partial class Parser
{
    private const int MaxNesting = 200;
    private const int MaxDepth = 400;
    private const int MaxNodes = 500_000;

    private readonly Lexer _lexer;
    private readonly Dictionary<string, string> _pool = new(StringComparer.Ordinal);
    private readonly HashSet<string> _blocks = new(StringComparer.Ordinal);
    private readonly List<Unknown> _unknown = [];
    private NameFrame _names = new(null);
    private MacroUse? _macro;
    private Token _current;
    private Token _next;
    private int _nesting;
    private int _nodes;
    private int _loops;

    public Parser(string source, string template)
    {
        _lexer = new Lexer(source, template);
        _current = _lexer.Next();
        _next = _lexer.Next();
    }

    /// <summary>A filter or test that does not exist: an error at once, unless it hangs on a condition.</summary>
    private readonly record struct Unknown(string What, int Line, bool IsCertain);

    /// <summary>Which of the special names a macro's body reads.</summary>
    private sealed class MacroUse(MacroUse? outer)
    {
        public MacroUse? Outer => outer;

        public bool Varargs { get; set; }

        public bool Kwargs { get; set; }

        public bool Caller { get; set; }
    }

    public Block Parse(out IReadOnlySet<string> variables)
    {
        Block body = ParseBody([]);
        if (_unknown.Count > 0)
            throw Error($"there is no {_unknown[0].What}", _unknown[0].Line);
        var read = new HashSet<string>(StringComparer.Ordinal);
        _names.Collect(read);
        read.RemoveWhere(Globals.IsGlobal);
        variables = read;
        return body;
    }

    private TemplateException Error(string problem, int? line = null, TemplateErrorKind kind = TemplateErrorKind.Syntax)
    {
        TemplateException error = _lexer.Error(problem, kind);
        return new TemplateException(kind, problem, error.Template, line ?? _current.Line);
    }

    private Token Advance()
    {
        Token token = _current;
        _current = _next;
        _next = _lexer.Next();
        return token;
    }

    private bool Skip(string op)
    {
        if (!_current.Is(op))
            return false;
        Advance();
        return true;
    }

    private bool SkipName(string name)
    {
        if (!_current.IsName(name))
            return false;
        Advance();
        return true;
    }

    private void Expect(string op)
    {
        if (!Skip(op))
            throw Error($"expected '{op}', found {_current.Describe()}");
    }

    private Token Expect(TokenKind kind, string what) =>
        _current.Kind == kind ? Advance() : throw Error($"expected {what}, found {_current.Describe()}");

    private string ExpectName(string what) => Pooled(Expect(TokenKind.Name, what).Text);

    private string Pooled(string name)
    {
        if (!_pool.TryGetValue(name, out string? pooled))
            _pool[name] = pooled = name;
        return pooled;
    }

    private void Descend()
    {
        if (++_nesting > MaxNesting || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw Error($"the template is nested deeper than {MaxNesting} levels", kind: TemplateErrorKind.Limit);
    }

    private void Ascend() => _nesting--;

    private T Made<T>(T node) where T : Node
    {
        if (node.Depth > MaxDepth)
            throw Error($"an expression or block is a chain of more than {MaxDepth} parts", node.Line, TemplateErrorKind.Limit);
        if (++_nodes > MaxNodes)
            throw Error($"the template has more than {MaxNodes} parts", node.Line, TemplateErrorKind.Limit);
        return node;
    }

    // What is unknown since a mark stays an error even if a condition stands around it: a loop or macro body always counts.
    private void MakeCertain(int mark)
    {
        for (int i = mark; i < _unknown.Count; i++)
            _unknown[i] = _unknown[i] with { IsCertain = true };
    }

    private void ForgetUncertain(int mark)
    {
        int kept = mark;
        for (int i = mark; i < _unknown.Count; i++)
        {
            if (_unknown[i].IsCertain)
                _unknown[kept++] = _unknown[i];
        }

        _unknown.RemoveRange(kept, _unknown.Count - kept);
    }
}
