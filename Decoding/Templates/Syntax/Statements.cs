using System.Text;

namespace Portable.Decoding.Templates;

internal sealed class Block(int line, Statement[] statements) : Statement(line, Deepest(statements))
{
    public static readonly Block Empty = new(0, []);

    public override Flow Execute(RenderContext context, Scope scope)
    {
        foreach (Statement statement in statements)
        {
            Flow flow = statement.Execute(context, scope);
            if (flow != Flow.Next)
                return flow;
        }

        return Flow.Next;
    }
}

internal sealed class TextOutput(int line, string text) : Statement(line, 1)
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Step();
        context.Write(text);
        return Flow.Next;
    }
}

internal sealed class Print(int line, Expression value) : Statement(line, Deepest(value))
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Line = Line;
        context.Step();
        context.Write(PyText.Str(context, value.Evaluate(context, scope)));
        return Flow.Next;
    }
}

internal sealed class If(int line, (Expression Test, Block Body)[] branches, Block? otherwise)
    : Statement(line, Math.Max(Deepest(otherwise), Math.Max(Deepest([.. branches.Select(b => b.Test)]), Deepest([.. branches.Select(b => b.Body)]))))
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        foreach ((Expression test, Block body) in branches)
        {
            context.Line = test.Line;
            context.Step();
            if (PyCompare.Truth(test.Evaluate(context, scope)))
                return body.Execute(context, scope);
        }

        return otherwise?.Execute(context, scope) ?? Flow.Next;
    }
}

internal sealed class For(int line, Target target, Expression source, Expression? test, bool recursive, Block body, Block? otherwise)
    : Statement(line, Deepest(target, source, test, body, otherwise))
{
    public bool IsRecursive => recursive;

    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Line = Line;
        return Run(context, scope, source.Evaluate(context, scope), 0);
    }

    public Flow Run(RenderContext context, Scope scope, object? values, int depth)
    {
        context.Line = Line;
        IEnumerable<object?> items = PyIteration.Iterate(context, values);
        int length = 0;
        bool sized = test is null && PyIteration.TryLength(values, out length);
        if (test is not null)
            items = Filtered(context, scope, items, test);
        using IEnumerator<object?> walk = items.GetEnumerator();
        var loop = new LoopState(this, scope, walk, sized ? length : null, depth);
        bool completed = false;
        while (loop.MoveNext(context, out object? item))
        {
            context.Step();
            var inner = new Scope(scope);
            inner.Set("loop", loop);
            target.Assign(context, inner, item);
            Flow flow = body.Execute(context, inner);
            if (flow == Flow.Break)
                break;
            completed |= flow == Flow.Next;
        }

        // The else branch runs unless some turn reached the end of the body, as in the reference implementation.
        return completed || otherwise is null ? Flow.Next : otherwise.Execute(context, new Scope(scope));
    }

    private IEnumerable<object?> Filtered(RenderContext context, Scope scope, IEnumerable<object?> items, Expression condition)
    {
        foreach (object? item in items)
        {
            context.Step();
            var inner = new Scope(scope);
            target.Assign(context, inner, item);
            if (PyCompare.Truth(condition.Evaluate(context, inner)))
                yield return item;
        }
    }
}

internal sealed class Set(int line, Target target, Expression value) : Statement(line, Deepest(target, value))
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Line = Line;
        context.Step();
        object? result = value.Evaluate(context, scope);
        context.Line = Line;
        target.Assign(context, scope, result);
        return Flow.Next;
    }
}

/// <summary>A body whose text goes through filters: into a name (set block) or to the output (filter block).</summary>
internal sealed class Capture(int line, Target? target, FilterExpression? filter, Block body) : Statement(line, Deepest(target, filter, body))
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Step();
        var inner = new Scope(scope);
        StringBuilder outer = context.BeginCapture();
        Flow flow = body.Execute(context, inner);
        string text = context.EndCapture(outer);
        if (flow != Flow.Next)
            return flow;
        object? value = filter is null ? text : filter.Apply(context, inner, text);
        if (target is null)
            context.Write(PyText.Str(context, value));
        else
            target.Assign(context, scope, value);
        return Flow.Next;
    }
}

internal sealed class With(int line, Target[] targets, Expression[] values, Block body)
    : Statement(line, Math.Max(Deepest(body), Math.Max(Deepest(targets), Deepest(values))))
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Step();
        var inner = new Scope(scope);
        for (int i = 0; i < targets.Length; i++)
            targets[i].Assign(context, inner, values[i].Evaluate(context, scope));
        return body.Execute(context, inner);
    }
}

/// <summary>A named block: without inheritance, its body, which sees the template's own names only.</summary>
internal sealed class NamedBlock(int line, Block body) : Statement(line, Deepest(body))
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Step();
        return body.Execute(context, new Scope(scope.Root));
    }
}

/// <summary>A generation block: its text is what the assistant said.</summary>
internal sealed class Generation(int line, Block body) : Statement(line, Deepest(body))
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Step();
        StringBuilder outer = context.BeginCapture();
        body.Execute(context, new Scope(scope));
        string text = context.EndCapture(outer);
        context.AddSpan(text.Length);
        context.Write(text);
        return Flow.Next;
    }
}

internal sealed class LoopControl(int line, Flow flow) : Statement(line, 1)
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Step();
        return flow;
    }
}

internal sealed class MacroStatement(int line, MacroDefinition definition) : Statement(line, definition.Depth)
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Step();
        context.Allocate(64);
        scope.Set(definition.Name, new Macro(definition, scope));
        return Flow.Next;
    }
}

internal sealed class CallBlock(int line, CallExpression call, MacroDefinition caller) : Statement(line, Deepest(call, caller))
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Line = Line;
        context.Step();
        context.Write(PyText.Str(context, call.Evaluate(context, scope, new Macro(caller, scope))));
        return Flow.Next;
    }
}

/// <summary>A tag that asks for another template: there is none.</summary>
internal sealed class Unloadable(int line, string tag) : Statement(line, 1)
{
    public override Flow Execute(RenderContext context, Scope scope)
    {
        context.Line = Line;
        throw context.TypeError($"'{tag}' needs another template, and a chat template stands alone");
    }
}
