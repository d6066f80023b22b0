namespace Portable.Decoding.Templates;

internal sealed class Constant(int line, object? value) : Expression(line, 1)
{
    public override object? Evaluate(RenderContext context, Scope scope) => value;
}

internal sealed class Name(int line, string name) : Expression(line, 1)
{
    public string Text { get; } = name;

    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        return scope.Get(Text);
    }
}

internal sealed class SequenceLiteral(int line, Expression[] items, bool isTuple) : Expression(line, Deepest(items))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.AllocateList(items.Length);
        context.Step(items.Length + 1);
        var values = new object?[items.Length];
        for (int i = 0; i < items.Length; i++)
            values[i] = items[i].Evaluate(context, scope);
        return isTuple ? new PyTuple(values) : new PyList(values);
    }
}

internal sealed class ObjectLiteral(int line, Expression[] keys, Expression[] values) : Expression(line, Math.Max(Deepest(keys), Deepest(values)))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Allocate(96L * keys.Length + 200);
        context.Step(keys.Length + 1);
        var dictionary = new PyDict();
        for (int i = 0; i < keys.Length; i++)
        {
            object? key = keys[i].Evaluate(context, scope);
            PyCompare.RequireHashable(context, key);
            dictionary.Set(PyText.Unmark(key), values[i].Evaluate(context, scope));
        }

        return dictionary;
    }
}

/// <summary>Arithmetic: <c>+ - * / %</c>, <c>f</c> for <c>//</c>, <c>p</c> for <c>**</c>.</summary>
internal sealed class Arithmetic(int line, char op, Expression left, Expression right) : Expression(line, Deepest(left, right))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        object? a = left.Evaluate(context, scope);
        object? b = right.Evaluate(context, scope);
        context.Line = Line;
        return PyNumber.Binary(context, op, a, b);
    }
}

internal sealed class Sign(int line, bool negative, Expression operand) : Expression(line, Deepest(operand))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        return PyNumber.Negate(context, operand.Evaluate(context, scope), negative);
    }
}

internal sealed class Not(int line, Expression operand) : Expression(line, Deepest(operand))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        return Boxes.Of(!PyCompare.Truth(operand.Evaluate(context, scope)));
    }
}

/// <summary><c>and</c>, <c>or</c>: the value that decides, not its truth.</summary>
internal sealed class Junction(int line, bool isAnd, Expression left, Expression right) : Expression(line, Deepest(left, right))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        object? value = left.Evaluate(context, scope);
        return PyCompare.Truth(value) == isAnd ? right.Evaluate(context, scope) : value;
    }
}

/// <summary><c>~</c>: the texts of all parts, joined.</summary>
internal sealed class Concatenation(int line, Expression[] parts) : Expression(line, Deepest(parts))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        var texts = new string[parts.Length];
        long length = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            texts[i] = PyText.Str(context, parts[i].Evaluate(context, scope));
            length += texts[i].Length;
        }

        context.Line = Line;
        context.AllocateText(length);
        return string.Concat(texts);
    }
}

internal enum Comparator
{
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// <summary>Comparisons in a chain: <c>a &lt; b &lt; c</c> compares neighbours and stops at the first that fails.</summary>
internal sealed class Comparison(int line, Expression first, (Comparator Op, Expression Operand)[] rest)
    : Expression(line, Math.Max(Deepest(first), Deepest([.. rest.Select(r => r.Operand)])))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        object? left = first.Evaluate(context, scope);
        foreach ((Comparator op, Expression operand) in rest)
        {
            context.Step();
            object? right = operand.Evaluate(context, scope);
            context.Line = Line;
            if (!Holds(context, op, left, right))
                return Boxes.False;
            left = right;
        }

        return Boxes.True;
    }

    public static bool Holds(RenderContext context, Comparator op, object? a, object? b)
    {
        switch (op)
        {
            case Comparator.Equal:
                return PyCompare.Equal(context, a, b);
            case Comparator.NotEqual:
                return !PyCompare.Equal(context, a, b);
            case Comparator.In:
                return PyCompare.Contains(context, b, a);
            case Comparator.NotIn:
                return !PyCompare.Contains(context, b, a);
            default:
                int? order = PyCompare.Order(context, a, b);
                return op switch
                {
                    Comparator.Less => order < 0,
                    Comparator.LessOrEqual => order <= 0,
                    Comparator.Greater => order > 0,
                    _ => order >= 0,
                };
        }
    }
}

internal sealed class Conditional(int line, Expression test, Expression then, Expression? otherwise) : Expression(line, Deepest(test, then, otherwise))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        if (PyCompare.Truth(test.Evaluate(context, scope)))
            return then.Evaluate(context, scope);
        return otherwise is null ? new Undefined("an inline if was false and has no else") : otherwise.Evaluate(context, scope);
    }
}

internal sealed class AttributeAccess(int line, Expression value, string name) : Expression(line, Deepest(value))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        object? target = value.Evaluate(context, scope);
        context.Line = Line;
        return PyAccess.Attribute(context, target, name);
    }
}

internal sealed class ItemAccess(int line, Expression value, Expression index) : Expression(line, Deepest(value, index))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        object? target = value.Evaluate(context, scope);
        object? at = index.Evaluate(context, scope);
        context.Line = Line;
        return PyAccess.Item(context, target, at);
    }
}

internal sealed class SliceAccess(int line, Expression value, Expression? start, Expression? stop, Expression? step)
    : Expression(line, Deepest(value, start, stop, step))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        object? target = value.Evaluate(context, scope);
        object? from = start?.Evaluate(context, scope), to = stop?.Evaluate(context, scope), stride = step?.Evaluate(context, scope);
        context.Line = Line;
        return PyAccess.Slice(context, target, from, to, stride);
    }
}

/// <summary>The arguments written at a call, filter or test.</summary>
internal sealed class ArgumentList(int line, Expression[] positional, (string Name, Expression Value)[] named, Expression? all, Expression? allNamed)
    : Node(line, Math.Max(Math.Max(Deepest(positional), Deepest([.. named.Select(n => n.Value)])), Deepest(all, allNamed)))
{
    public static readonly ArgumentList Empty = new(0, [], [], null, null);

    /// <summary>The values, and after them what a call block passes as <c>caller</c>.</summary>
    public Arguments Evaluate(RenderContext context, Scope scope, string function, Macro? caller = null)
    {
        object?[] values = positional.Length == 0 ? [] : new object?[positional.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = positional[i].Evaluate(context, scope);
        if (all is not null)
        {
            object?[] more = PyIteration.ToArray(context, all.Evaluate(context, scope));
            context.AllocateList(more.Length);
            values = [.. values, .. more];
        }

        if (named.Length == 0 && allNamed is null && caller is null)
            return new Arguments(context, function, values);
        var names = new List<KeyValuePair<string, object?>>(named.Length);
        foreach ((string name, Expression value) in named)
            names.Add(KeyValuePair.Create(name, value.Evaluate(context, scope)));
        if (allNamed?.Evaluate(context, scope) is { } more2)
        {
            if (more2 is not PyDict dictionary)
                throw context.TypeError($"after ** stands an object, not {PyText.TypeName(more2)}");
            context.AllocateList(dictionary.Count);
            foreach ((object? key, object? value) in dictionary.Entries)
                names.Add(KeyValuePair.Create(key as string ?? throw context.TypeError("the keys after ** are strings"), value));
        }

        if (caller is not null)
            names.Add(KeyValuePair.Create("caller", (object?)caller));
        return new Arguments(context, function, values, names);
    }
}

internal sealed class CallExpression(int line, Expression function, ArgumentList arguments) : Expression(line, Deepest(function, arguments))
{
    public override object? Evaluate(RenderContext context, Scope scope) => Evaluate(context, scope, null);

    /// <summary>Calls, with what a call block passes as <c>caller</c>.</summary>
    public object? Evaluate(RenderContext context, Scope scope, Macro? caller)
    {
        context.Step();
        object? target = function.Evaluate(context, scope);
        if (target is Undefined undefined)
        {
            context.Line = Line;
            throw context.Error(undefined.Kind, undefined.Hint);
        }

        if (target is not PyCallable callable)
        {
            context.Line = Line;
            throw context.TypeError($"{PyText.TypeName(target)} cannot be called");
        }

        Arguments values = arguments.Evaluate(context, scope, callable.Name, caller);
        context.Line = Line;
        return callable.Call(context, values);
    }
}

/// <summary>A filter; the value is null in a filter block, which passes its text.</summary>
internal sealed class FilterExpression(int line, Expression? value, string name, Filter? filter, ArgumentList arguments)
    : Expression(line, Deepest(value, arguments))
{
    public override object? Evaluate(RenderContext context, Scope scope) => Apply(context, scope, null);

    /// <summary>Filters, with <paramref name="text"/> at the start of the chain.</summary>
    public object? Apply(RenderContext context, Scope scope, string? text)
    {
        context.Step();
        object? input = value is FilterExpression inner && text is not null ? inner.Apply(context, scope, text)
            : value is null ? text
            : value.Evaluate(context, scope);
        Arguments values = arguments.Evaluate(context, scope, name);
        context.Line = Line;
        if (filter is null)
            throw context.Error(TemplateErrorKind.Runtime, $"there is no filter '{name}'");
        return filter(context, input, values);
    }
}

internal sealed class TestExpression(int line, Expression value, string name, Test? test, ArgumentList arguments)
    : Expression(line, Deepest(value, arguments))
{
    public override object? Evaluate(RenderContext context, Scope scope)
    {
        context.Step();
        object? input = value.Evaluate(context, scope);
        Arguments values = arguments.Evaluate(context, scope, name);
        context.Line = Line;
        if (test is null)
            throw context.Error(TemplateErrorKind.Runtime, $"there is no test '{name}'");
        return Boxes.Of(test(context, input, values));
    }
}

internal sealed class NameTarget(int line, string name) : Target(line, 1)
{
    public string Text { get; } = name;

    public override void Assign(RenderContext context, Scope scope, object? value) => scope.Set(Text, value);
}

internal sealed class TupleTarget(int line, Target[] parts) : Target(line, Deepest(parts))
{
    public override void Assign(RenderContext context, Scope scope, object? value)
    {
        object?[] values = PyIteration.Unpack(context, value, parts.Length);
        for (int i = 0; i < parts.Length; i++)
            parts[i].Assign(context, scope, values[i]);
    }
}

internal sealed class NamespaceTarget(int line, string name, string member) : Target(line, 1)
{
    public override void Assign(RenderContext context, Scope scope, object? value)
    {
        if (scope.Get(name) is not PyNamespace target)
            throw context.Error(TemplateErrorKind.Runtime, $"'{name}' is no namespace, so '{name}.{member}' cannot be set");
        context.Allocate(64);
        target.Set(context, member, value);
    }
}
