namespace Portable.Decoding.Templates;

// From loose to tight: if else, or, and, not, comparisons, + -, ~, * / // %, **, signs, then filters, tests, calls and members.
internal sealed partial class Parser
{
    private Expression ParseTuple(bool allowConditional = true, string? end = null, bool inParentheses = false)
    {
        int line = _current.Line;
        var items = new List<Expression>();
        bool isTuple = false;
        while (true)
        {
            if (_current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || _current.Is(")") || (end is not null && _current.IsName(end)))
                break;
            items.Add(allowConditional ? ParseExpression() : ParseOr());
            if (!Skip(","))
                break;
            isTuple = true;
        }

        if (!isTuple)
        {
            if (items.Count == 1)
                return items[0];
            if (!inParentheses)
                throw Error($"expected an expression, found {_current.Describe()}");
        }

        return Made(new SequenceLiteral(line, [.. items], isTuple: true));
    }

    private Expression ParseExpression()
    {
        Descend();
        int mark = _unknown.Count;
        Expression value = ParseOr();
        while (_current.IsName("if"))
        {
            int line = Advance().Line;
            Expression test = ParseOr();
            Expression? otherwise = SkipName("else") ? ParseExpression() : null;
            ForgetUncertain(mark);
            value = Made(new Conditional(line, test, value, otherwise));
        }

        Ascend();
        return value;
    }

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        while (_current.IsName("or"))
        {
            int line = Advance().Line;
            left = Made(new Junction(line, isAnd: false, left, ParseAnd()));
        }

        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        while (_current.IsName("and"))
        {
            int line = Advance().Line;
            left = Made(new Junction(line, isAnd: true, left, ParseNot()));
        }

        return left;
    }

    private Expression ParseNot()
    {
        if (!_current.IsName("not"))
            return ParseComparison();
        int line = Advance().Line;
        Descend();
        Expression operand = ParseNot();
        Ascend();
        return Made(new Not(line, operand));
    }

    private Expression ParseComparison()
    {
        int line = _current.Line;
        Expression first = ParseSum();
        List<(Comparator, Expression)>? rest = null;
        while (ParseComparator() is { } op)
            (rest ??= []).Add((op, ParseSum()));
        return rest is null ? first : Made(new Comparison(line, first, [.. rest]));
    }

    private Comparator? ParseComparator()
    {
        Comparator? op = _current.Kind switch
        {
            TokenKind.Operator => _current.Text switch
            {
                "==" => Comparator.Equal,
                "!=" => Comparator.NotEqual,
                "<" => Comparator.Less,
                "<=" => Comparator.LessOrEqual,
                ">" => Comparator.Greater,
                ">=" => Comparator.GreaterOrEqual,
                _ => null,
            },
            TokenKind.Name when _current.Text == "in" => Comparator.In,
            TokenKind.Name when _current.Text == "not" && _next.IsName("in") => Comparator.NotIn,
            _ => null,
        };
        if (op is not null)
            Advance();
        if (op == Comparator.NotIn)
            Advance();
        return op;
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcatenation();
        while (_current.Is("+") || _current.Is("-"))
        {
            Token op = Advance();
            left = Made(new Arithmetic(op.Line, op.Text[0], left, ParseConcatenation()));
        }

        return left;
    }

    private Expression ParseConcatenation()
    {
        int line = _current.Line;
        Expression first = ParseProduct();
        if (!_current.Is("~"))
            return first;
        var parts = new List<Expression> { first };
        while (Skip("~"))
            parts.Add(ParseProduct());
        return Made(new Concatenation(line, [.. parts]));
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (_current.Is("*") || _current.Is("/") || _current.Is("//") || _current.Is("%"))
        {
            Token op = Advance();
            left = Made(new Arithmetic(op.Line, op.Text == "//" ? 'f' : op.Text[0], left, ParsePower()));
        }

        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseUnary(withFilters: true);
        while (_current.Is("**"))
        {
            int line = Advance().Line;
            left = Made(new Arithmetic(line, 'p', left, ParseUnary(withFilters: true)));
        }

        return left;
    }

    private Expression ParseUnary(bool withFilters)
    {
        Expression value;
        if (_current.Is("-") || _current.Is("+"))
        {
            Token sign = Advance();
            Descend();
            value = Made(new Sign(sign.Line, sign.Text == "-", ParseUnary(withFilters: false)));
            Ascend();
        }
        else
        {
            value = ParsePrimary();
        }

        value = ParsePostfix(value);
        return withFilters ? ParseFiltersAndTests(value) : value;
    }

    private Expression ParsePrimary()
    {
        Token token = _current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                Advance();
                return Made<Expression>(token.Text switch
                {
                    "true" or "True" => new Constant(token.Line, Boxes.True),
                    "false" or "False" => new Constant(token.Line, Boxes.False),
                    "none" or "None" => new Constant(token.Line, null),
                    _ => Read(token),
                });
            case TokenKind.String:
                Advance();
                string text = token.Text;
                if (_current.Kind == TokenKind.String)
                {
                    var parts = new System.Text.StringBuilder(text);
                    while (_current.Kind == TokenKind.String)
                        parts.Append(Advance().Text);
                    text = parts.ToString();
                }

                return Made(new Constant(token.Line, text));
            case TokenKind.Integer or TokenKind.Float:
                Advance();
                return Made(new Constant(token.Line, token.Value));
            case TokenKind.Operator when token.Text == "(":
                Advance();
                Descend();
                Expression inner = ParseTuple(inParentheses: true);
                Expect(")");
                Ascend();
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return ParseList();
            case TokenKind.Operator when token.Text == "{":
                return ParseObject();
            default:
                throw Error($"expected an expression, found {token.Describe()}");
        }
    }

    private Name Read(Token token)
    {
        string name = Pooled(token.Text);
        _names.Read(name);
        for (MacroUse? use = _macro; use is not null; use = use.Outer)
        {
            use.Varargs |= name == "varargs";
            use.Kwargs |= name == "kwargs";
            use.Caller |= name == "caller";
        }

        return new Name(token.Line, name);
    }

    private SequenceLiteral ParseList()
    {
        int line = Advance().Line;
        Descend();
        var items = new List<Expression>();
        while (!_current.Is("]"))
        {
            if (items.Count > 0)
                Expect(",");
            if (_current.Is("]"))
                break;
            items.Add(ParseExpression());
        }

        Expect("]");
        Ascend();
        return Made(new SequenceLiteral(line, [.. items], isTuple: false));
    }

    private ObjectLiteral ParseObject()
    {
        int line = Advance().Line;
        Descend();
        var keys = new List<Expression>();
        var values = new List<Expression>();
        while (!_current.Is("}"))
        {
            if (keys.Count > 0)
                Expect(",");
            if (_current.Is("}"))
                break;
            keys.Add(ParseExpression());
            Expect(":");
            values.Add(ParseExpression());
        }

        Expect("}");
        Ascend();
        return Made(new ObjectLiteral(line, [.. keys], [.. values]));
    }

    private Expression ParsePostfix(Expression value)
    {
        while (true)
        {
            if (_current.Is("."))
                value = ParseMember(value);
            else if (_current.Is("["))
                value = ParseSubscript(value);
            else if (_current.Is("("))
                value = ParseCall(value);
            else
                return value;
        }
    }

    private Expression ParseMember(Expression value)
    {
        int line = Advance().Line;
        Token member = Advance();
        return member.Kind switch
        {
            TokenKind.Name => Made(new AttributeAccess(line, value, Pooled(member.Text))),
            TokenKind.Integer => Made(new ItemAccess(line, value, new Constant(member.Line, member.Value))),
            _ => throw Error($"after '.' stands a name or a number, not {member.Describe()}", member.Line),
        };
    }

    private Expression ParseSubscript(Expression value)
    {
        int line = Advance().Line;
        Descend();
        Expression result;
        Expression? start = _current.Is(":") ? null : ParseExpression();
        if (_current.Is(":"))
        {
            Advance();
            Expression? stop = _current.Is(":") || _current.Is("]") ? null : ParseExpression();
            Expression? step = Skip(":") && !_current.Is("]") ? ParseExpression() : null;
            result = Made(new SliceAccess(line, value, start, stop, step));
        }
        else
        {
            Expression index = start!;
            if (_current.Is(","))
            {
                var items = new List<Expression> { index };
                while (Skip(","))
                    items.Add(ParseExpression());
                index = Made(new SequenceLiteral(line, [.. items], isTuple: true));
            }

            result = Made(new ItemAccess(line, value, index));
        }

        Expect("]");
        Ascend();
        return result;
    }

    private CallExpression ParseCall(Expression function)
    {
        int line = _current.Line;
        return Made(new CallExpression(line, function, ParseArguments()));
    }

    private ArgumentList ParseArguments()
    {
        int line = _current.Line;
        Expect("(");
        Descend();
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        Expression? all = null, allNamed = null;
        bool first = true;
        while (!_current.Is(")"))
        {
            if (!first)
                Expect(",");
            first = false;
            if (_current.Is(")"))
                break;
            bool inOrder;
            if (Skip("*"))
            {
                inOrder = all is null && allNamed is null;
                all = ParseExpression();
            }
            else if (Skip("**"))
            {
                inOrder = allNamed is null;
                allNamed = ParseExpression();
            }
            else if (_current.Kind == TokenKind.Name && _next.Is("="))
            {
                inOrder = allNamed is null;
                string name = Pooled(Advance().Text);
                Advance();
                named.Add((name, ParseExpression()));
            }
            else
            {
                inOrder = all is null && allNamed is null && named.Count == 0;
                positional.Add(ParseExpression());
            }

            if (!inOrder)
                throw Error("arguments by position come first, then named ones; * and ** are given once", line);
        }

        Expect(")");
        Ascend();
        return Made(new ArgumentList(line, [.. positional], [.. named], all, allNamed));
    }

    private Expression ParseFiltersAndTests(Expression value)
    {
        while (true)
        {
            if (_current.Is("|"))
                value = ParseFilters(value);
            else if (_current.IsName("is"))
                value = ParseTest(value);
            else if (_current.Is("("))
                value = ParseCall(value);
            else
                return value;
        }
    }

    // All filters that follow; there is at least one, or one has been read already.
    private FilterExpression ParseFilters(Expression? value)
    {
        FilterExpression? chain = value as FilterExpression;
        while (Skip("|"))
            value = chain = ParseFilter(value);
        return chain!;
    }

    private FilterExpression ParseFilter(Expression? value)
    {
        int line = _current.Line;
        string name = ParseDottedName("the name of a filter");
        ArgumentList arguments = _current.Is("(") ? ParseArguments() : ArgumentList.Empty;
        Filter? filter = Filters.Find(name);
        if (filter is null)
            _unknown.Add(new Unknown($"filter '{name}'", line, false));
        return Made(new FilterExpression(line, value, name, filter, arguments));
    }

    private Expression ParseTest(Expression value)
    {
        int line = Advance().Line;
        bool negated = SkipName("not");
        string name = ParseDottedName("the name of a test");
        ArgumentList arguments = ArgumentList.Empty;
        if (_current.Is("("))
        {
            arguments = ParseArguments();
        }
        else if (_current.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float || _current.Is("[") || _current.Is("{"))
        {
            if (_current.IsName("is"))
                throw Error("tests cannot be chained with 'is'");
            if (!_current.IsName("else") && !_current.IsName("or") && !_current.IsName("and"))
                arguments = Made(new ArgumentList(_current.Line, [ParsePostfix(ParsePrimary())], [], null, null));
        }

        Test? test = Tests.Find(name);
        if (test is null)
            _unknown.Add(new Unknown($"test '{name}'", line, false));
        Expression result = Made(new TestExpression(line, value, name, test, arguments));
        return negated ? Made(new Not(line, result)) : result;
    }

    private string ParseDottedName(string what)
    {
        string name = ExpectName(what);
        while (Skip("."))
            name += "." + ExpectName(what);
        return name;
    }
}
