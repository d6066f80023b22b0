using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>
/// What <c>loop</c> is inside a loop. It looks ahead only when asked, so that a lazy sequence is read as the template
/// expects. A recursive loop can be called with the next level.
/// </summary>
internal sealed class LoopState(For loop, Scope home, IEnumerator<object?> items, int? knownLength, int depth) : PyCallable
{
    private readonly Queue<object?> _ahead = new();
    private int? _length = knownLength;
    private long _index = -1;
    private object? _previous = new Undefined("there is no previous item");
    private object? _current = new Undefined("there is no previous item");
    private object?[]? _changed;

    public override string Name => "loop";

    public bool MoveNext(RenderContext context, out object? item)
    {
        if (_ahead.Count > 0)
        {
            item = _ahead.Dequeue();
        }
        else if (items.MoveNext())
        {
            context.Step();
            item = items.Current;
        }
        else
        {
            item = null;
            return false;
        }

        _index++;
        _previous = _current;
        _current = item;
        return true;
    }

    public override object? Call(RenderContext context, Arguments arguments)
    {
        arguments.Bind(1, "iterable");
        if (!loop.IsRecursive)
            throw context.TypeError("only a loop marked 'recursive' can be called");
        context.Enter(loop.Depth + 4);
        StringBuilder outer = context.BeginCapture();
        loop.Run(context, home, arguments[0], depth + 1);
        string text = context.EndCapture(outer);
        context.Leave(loop.Depth + 4);
        return text;
    }

    public bool TryMember(RenderContext context, string name, out object? member)
    {
        object? found = null;
        bool known = true;
        switch (name)
        {
            case "index":
                found = Boxes.Of(_index + 1);
                break;
            case "index0":
                found = Boxes.Of(_index);
                break;
            case "first":
                found = Boxes.Of(_index == 0);
                break;
            case "last":
                found = Boxes.Of(!Peek(context));
                break;
            case "length":
                found = Boxes.Of((long)Length(context));
                break;
            case "revindex":
                found = Boxes.Of(Length(context) - _index);
                break;
            case "revindex0":
                found = Boxes.Of(Length(context) - _index - 1);
                break;
            case "depth":
                found = Boxes.Of(depth + 1L);
                break;
            case "depth0":
                found = Boxes.Of((long)depth);
                break;
            case "previtem":
                found = _previous;
                break;
            case "nextitem":
                found = Peek(context) ? _ahead.Peek() : new Undefined("there is no next item");
                break;
            case "cycle":
                found = new Function("cycle", (c, arguments) => arguments.Positional.Length == 0
                    ? throw c.TypeError("loop.cycle() needs values")
                    : arguments.Positional[_index % arguments.Positional.Length]);
                break;
            case "changed":
                found = new Function("changed", (c, arguments) => Boxes.Of(Changed(c, arguments.Positional)));
                break;
            default:
                known = false;
                break;
        }

        member = found;
        return known;
    }

    private bool Changed(RenderContext context, object?[] values)
    {
        if (_changed is not null && PyCompare.Equal(context, new PyTuple(_changed), new PyTuple(values)))
            return false;
        _changed = values;
        return true;
    }

    private bool Peek(RenderContext context)
    {
        if (_ahead.Count > 0)
            return true;
        if (!items.MoveNext())
            return false;
        context.Step();
        _ahead.Enqueue(items.Current);
        return true;
    }

    private int Length(RenderContext context)
    {
        if (_length is { } known)
            return known;
        while (items.MoveNext())
        {
            context.Allocate(40);
            _ahead.Enqueue(items.Current);
        }

        _length = (int)_index + 1 + _ahead.Count;
        return _length.Value;
    }
}
