namespace Portable.Decoding.Templates;

internal sealed partial class Parser
{
    // Statements up to a tag of the given names, whose name is then the current token; up to the end without names.
    private Block ParseBody(ReadOnlySpan<string> ends)
    {
        Descend();
        int line = _current.Line;
        var statements = new List<Statement>();
        while (true)
        {
            switch (_current.Kind)
            {
                case TokenKind.Data:
                    Token text = Advance();
                    statements.Add(Made(new TextOutput(text.Line, text.Text)));
                    break;
                case TokenKind.VariableBegin:
                    Advance();
                    int printLine = _current.Line;
                    Expression value = ParseTuple();
                    Expect(TokenKind.VariableEnd, "the end of the print statement");
                    statements.Add(Made(new Print(printLine, value)));
                    break;
                case TokenKind.BlockBegin:
                    Advance();
                    if (_current.Kind != TokenKind.Name)
                        throw Error($"expected the name of a tag, found {_current.Describe()}");
                    if (ends.Contains(_current.Text))
                    {
                        Ascend();
                        return Made(new Block(line, [.. statements]));
                    }

                    statements.Add(Made(ParseStatement()));
                    Expect(TokenKind.BlockEnd, "the end of the tag");
                    break;
                case TokenKind.End:
                    if (ends.Length > 0)
                        throw Error($"the template ends before '{string.Join("' or '", ends!)}'");
                    Ascend();
                    return Made(new Block(line, [.. statements]));
                default:
                    throw Error($"unexpected {_current.Describe()}");
            }
        }
    }

    // The body of a tag: from the end of the tag up to one of the names, which is taken.
    private Block ParseTagBody(params ReadOnlySpan<string> ends)
    {
        Skip(":");
        Expect(TokenKind.BlockEnd, "the end of the tag");
        return ParseBody(ends);
    }

    private Statement ParseStatement()
    {
        int line = _current.Line;
        string tag = Advance().Text;
        switch (tag)
        {
            case "if":
                return ParseIf(line);
            case "for":
                return ParseFor(line);
            case "set":
                return ParseSet(line);
            case "macro":
                return ParseMacro(line);
            case "call":
                return ParseCallBlock(line);
            case "filter":
                return ParseFilterBlock(line);
            case "with":
                return ParseWith(line);
            case "print":
                return new Print(line, ParseTuple());
            case "block":
                return ParseNamedBlock(line);
            case "generation":
                return ParseGeneration(line);
            case "break" or "continue":
                if (_loops == 0)
                    throw Error($"'{tag}' stands outside a loop", line);
                return new LoopControl(line, tag == "break" ? Flow.Break : Flow.Continue);
            case "include" or "import" or "from" or "extends":
                while (_current.Kind is not (TokenKind.BlockEnd or TokenKind.End))
                    Advance();
                return new Unloadable(line, tag);
            default:
                throw Error($"there is no tag '{tag}' here", line);
        }
    }

    private If ParseIf(int line)
    {
        int mark = _unknown.Count;
        var branches = new List<(Expression, Block)>();
        Block? otherwise = null;
        while (true)
        {
            Expression test = ParseTuple(allowConditional: false);
            _names.Conditions++;
            Block body = ParseTagBody("elif", "else", "endif");
            _names.Conditions--;
            branches.Add((test, body));
            string end = Advance().Text;
            if (end == "elif")
                continue;
            if (end == "else")
            {
                _names.Conditions++;
                otherwise = ParseTagBody("endif");
                _names.Conditions--;
                Advance();
            }

            break;
        }

        ForgetUncertain(mark);
        return new If(line, [.. branches], otherwise);
    }

    private For ParseFor(int line)
    {
        var names = new List<string>();
        Target target = ParseTarget("in", names);
        if (!SkipName("in"))
            throw Error($"expected 'in', found {_current.Describe()}");
        Expression source = ParseTuple(allowConditional: false, end: "recursive");
        int mark = _unknown.Count;
        EnterScope(names);
        Expression? test = SkipName("if") ? ParseExpression() : null;
        LeaveScope();
        bool recursive = SkipName("recursive");
        _loops++;
        EnterScope([.. names, "loop"]);
        Block body = ParseTagBody("endfor", "else");
        LeaveScope();
        _loops--;
        Block? otherwise = null;
        if (Advance().Text == "else")
        {
            EnterScope([]);
            otherwise = ParseTagBody("endfor");
            LeaveScope();
            Advance();
        }

        MakeCertain(mark);
        return new For(line, target, source, test, recursive, body, otherwise);
    }

    private Statement ParseSet(int line)
    {
        int mark = _unknown.Count;
        var names = new List<string>();
        Target target = ParseTarget(null, names, allowNamespace: true);
        if (Skip("="))
        {
            Expression value = ParseTuple();
            names.ForEach(_names.Set);
            return new Set(line, target, value);
        }

        names.ForEach(_names.Set);
        EnterScope([]);
        FilterExpression? filter = _current.Is("|") ? ParseFilters(null) : null;
        Block body = ParseTagBody("endset");
        LeaveScope();
        Advance();
        MakeCertain(mark);
        return new Capture(line, target, filter, body);
    }

    private Capture ParseFilterBlock(int line)
    {
        int mark = _unknown.Count;
        FilterExpression filter = ParseFilters(ParseFilter(null));
        EnterScope([]);
        Block body = ParseTagBody("endfilter");
        LeaveScope();
        Advance();
        MakeCertain(mark);
        return new Capture(line, null, filter, body);
    }

    private With ParseWith(int line)
    {
        var targets = new List<Target>();
        var values = new List<Expression>();
        var names = new List<string>();
        while (_current.Kind != TokenKind.BlockEnd)
        {
            if (targets.Count > 0)
                Expect(",");
            targets.Add(ParseTarget(null, names));
            Expect("=");
            values.Add(ParseExpression());
        }

        int mark = _unknown.Count;
        EnterScope(names);
        Block body = ParseTagBody("endwith");
        LeaveScope();
        Advance();
        MakeCertain(mark);
        return new With(line, [.. targets], [.. values], body);
    }

    private NamedBlock ParseNamedBlock(int line)
    {
        string name = ExpectName("the name of the block");
        if (!_blocks.Add(name))
            throw Error($"the block '{name}' is defined twice", line);
        SkipName("scoped");
        SkipName("required");
        int mark = _unknown.Count;
        EnterScope([], sees: false);
        Block body = ParseFunctionBody("endblock");
        LeaveScope();
        SkipName(name);
        MakeCertain(mark);
        return new NamedBlock(line, body);
    }

    private Generation ParseGeneration(int line)
    {
        int mark = _unknown.Count;
        EnterScope([]);
        Block body = ParseFunctionBody("endgeneration");
        LeaveScope();
        MakeCertain(mark);
        return new Generation(line, body);
    }

    private MacroStatement ParseMacro(int line)
    {
        string name = ExpectName("the name of the macro");
        _names.Set(name);
        return new MacroStatement(line, ParseDefinition(line, name, "endmacro"));
    }

    private CallBlock ParseCallBlock(int line)
    {
        // The parameters come before the call, the body after it: their scope is left and entered again.
        var use = _macro = new MacroUse(_macro);
        int mark = _unknown.Count;
        NameFrame scope = EnterScope(MacroNames);
        (string[] parameters, Expression[] defaults) = _current.Is("(") ? ParseSignature() : ([], []);
        LeaveScope();
        _macro = use.Outer;
        if (ParseExpression() is not CallExpression call)
            throw Error("after 'call' stands the call of a macro", line);
        _macro = use;
        _names = scope;
        Block body = ParseFunctionBody("endcall");
        LeaveScope();
        _macro = use.Outer;
        MakeCertain(mark);
        return new CallBlock(line, call, Made(new MacroDefinition(line, "caller", parameters, defaults, body, use.Varargs, use.Kwargs, use.Caller)));
    }

    private MacroDefinition ParseDefinition(int line, string name, string end)
    {
        var use = _macro = new MacroUse(_macro);
        int mark = _unknown.Count;
        EnterScope(MacroNames);
        (string[] parameters, Expression[] defaults) = ParseSignature();
        Block body = ParseFunctionBody(end);
        LeaveScope();
        _macro = use.Outer;
        MakeCertain(mark);
        bool has(string special) => !parameters.Contains(special);
        return Made(new MacroDefinition(line, name, parameters, defaults, body,
            use.Varargs && has("varargs"), use.Kwargs && has("kwargs"), use.Caller && has("caller")));
    }

    private NameFrame EnterScope(IEnumerable<string> parameters, bool sees = true)
    {
        _names = _names.Inner(sees);
        foreach (string name in parameters)
            _names.Parameter(name);
        return _names;
    }

    // Not the parent of the scope, which a named block does not see, but the scope around it in the text.
    private void LeaveScope() => _names = _names.Around!;

    // Loops around a macro, a block or a generation block cannot be left from inside it.
    private Block ParseFunctionBody(string end)
    {
        int loops = _loops;
        _loops = 0;
        Block body = ParseTagBody(end);
        Advance();
        _loops = loops;
        return body;
    }

    private (string[] Parameters, Expression[] Defaults) ParseSignature()
    {
        var parameters = new List<string>();
        var defaults = new List<Expression>();
        Expect("(");
        while (!_current.Is(")"))
        {
            if (parameters.Count > 0)
                Expect(",");
            string name = ExpectName("the name of a parameter");
            _names.Parameter(name);
            if (parameters.Contains(name))
                throw Error($"the parameter '{name}' is given twice");
            parameters.Add(name);
            if (Skip("="))
                defaults.Add(ParseExpression());
            else if (defaults.Count > 0)
                throw Error($"the parameter '{name}' has no default, but one before it has");
        }

        Expect(")");
        return ([.. parameters], [.. defaults]);
    }

    private static readonly string[] MacroNames = ["varargs", "kwargs", "caller"];

    private Target ParseTarget(string? end, List<string> names, bool allowNamespace = false)
    {
        int line = _current.Line;
        var parts = new List<Target>();
        bool isTuple = false;
        while (true)
        {
            if (_current.Kind is TokenKind.BlockEnd || _current.Is(")") || (end is not null && _current.IsName(end)))
                break;
            parts.Add(ParseSingleTarget(names, allowNamespace));
            if (!Skip(","))
                break;
            isTuple = true;
        }

        if (parts.Count == 0)
            throw Error($"expected a name to set, found {_current.Describe()}");
        return isTuple ? Made(new TupleTarget(line, [.. parts])) : parts[0];
    }

    private Target ParseSingleTarget(List<string> names, bool allowNamespace)
    {
        int line = _current.Line;
        if (Skip("("))
        {
            Descend();
            Target inner = ParseTarget(null, names, allowNamespace);
            Expect(")");
            Ascend();
            return inner;
        }

        string name = ExpectName("a name to set");
        if (name is "true" or "false" or "none" or "True" or "False" or "None")
            throw Error($"'{name}' cannot be set", line);
        if (allowNamespace && _current.Is("."))
        {
            Advance();
            string member = ExpectName("the name of a member");
            _names.Read(name);
            return Made(new NamespaceTarget(line, name, member));
        }

        names.Add(name);
        return Made(new NameTarget(line, name));
    }
}
