using System.Collections;

namespace Portable.Decoding.Templates;

// The evaluator works on plain objects: null (none), bool, long, BigInteger, double, string, and the classes below.

/// <summary>Shared boxes of frequent values.</summary>
internal static class Boxes
{
    public static readonly object True = true;
    public static readonly object False = false;
    private static readonly object[] Small = [.. Enumerable.Range(-1, 258).Select(i => (object)(long)i)];

    public static object Of(bool value) => value ? True : False;

    public static object Of(long value) => value is >= -1 and <= 256 ? Small[value + 1] : value;
}

/// <summary>A value that does not exist. It prints as nothing and is false; almost every other use of it fails with its hint.</summary>
internal sealed class Undefined(string hint, TemplateErrorKind kind = TemplateErrorKind.Undefined)
{
    public string Hint { get; } = hint;

    public TemplateErrorKind Kind { get; } = kind;
}

/// <summary>Text marked as safe: printed like any text, but adding plain text to it escapes that text.</summary>
internal sealed class Markup(string text)
{
    public string Text { get; } = text;
}

/// <summary>A list or tuple; never changed once made, since the sandbox forbids it.</summary>
internal abstract class PySequence(object?[] items)
{
    public object?[] Items { get; } = items;
}

internal sealed class PyList(object?[] items) : PySequence(items);

internal class PyTuple(object?[] items) : PySequence(items);

/// <summary>What <c>groupby</c> yields: a pair whose parts have names too.</summary>
internal sealed class GroupTuple(object? grouper, PyList list) : PyTuple([grouper, list]);

/// <summary>An object: keys keep the order of their first insertion, and 1, 1.0 and true are one key.</summary>
internal sealed class PyDict
{
    private static readonly object NoneKey = new();
    private readonly OrderedDictionary<object, object?> _entries = new(KeyComparer.Instance);

    public int Count => _entries.Count;

    public IEnumerable<object?> Keys => _entries.Keys.Select(Unwrap);

    public IEnumerable<object?> Values => _entries.Values;

    public IEnumerable<KeyValuePair<object?, object?>> Entries =>
        _entries.Select(entry => KeyValuePair.Create(Unwrap(entry.Key), entry.Value));

    /// <summary>The key must be hashable: see <see cref="PyCompare.RequireHashable"/>.</summary>
    public void Set(object? key, object? value) => _entries[key ?? NoneKey] = value;

    public bool TryGet(object? key, out object? value) => _entries.TryGetValue(key ?? NoneKey, out value);

    public bool Contains(object? key) => _entries.ContainsKey(key ?? NoneKey);

    public PyDict Copy()
    {
        var copy = new PyDict();
        foreach (KeyValuePair<object, object?> entry in _entries)
            copy._entries[entry.Key] = entry.Value;
        return copy;
    }

    private static object? Unwrap(object key) => ReferenceEquals(key, NoneKey) ? null : key;

    private sealed class KeyComparer : IEqualityComparer<object>
    {
        public static readonly KeyComparer Instance = new();

        bool IEqualityComparer<object>.Equals(object? a, object? b) =>
            ReferenceEquals(a, b) || (a is string x && b is string y ? x == y : PyCompare.KeyEquals(a, b));

        int IEqualityComparer<object>.GetHashCode(object key) => PyCompare.KeyHash(key);
    }
}

internal enum DictViewKind
{
    Keys,
    Values,
    Items,
}

internal sealed class DictView(PyDict dictionary, DictViewKind kind)
{
    public PyDict Dictionary { get; } = dictionary;

    public DictViewKind Kind { get; } = kind;

    public IEnumerable<object?> Items => Kind switch
    {
        DictViewKind.Keys => Dictionary.Keys,
        DictViewKind.Values => Dictionary.Values,
        _ => Dictionary.Entries.Select(entry => (object?)new PyTuple([entry.Key, entry.Value])),
    };
}

internal sealed class PyRange(long start, long stop, long step)
{
    public long Start { get; } = start;

    public long Stop { get; } = stop;

    public long Step { get; } = step;

    public int Count { get; } = (int)Length(start, stop, step);

    public object this[int index] => Boxes.Of(Start + index * Step);

    /// <summary>The number of elements, whatever the arguments.</summary>
    public static Int128 Length(Int128 start, Int128 stop, Int128 step) =>
        step > 0
            ? (stop > start ? (stop - start - 1) / step + 1 : 0)
            : (start > stop ? (start - stop - 1) / -step + 1 : 0);
}

/// <summary>A lazy sequence that can be walked once, as Python's generators: always true, without length.</summary>
internal sealed class Generator(RenderContext context, IEnumerable<object?> source) : IEnumerable<object?>
{
    private readonly IEnumerator<object?> _source = source.GetEnumerator();

    // Generators over generators recurse; the context counts how deep.
    public bool Next(out object? item)
    {
        context.Enter(4);
        context.Step();
        bool more = _source.MoveNext();
        item = more ? _source.Current : null;
        context.Leave(4);
        return more;
    }

    public IEnumerator<object?> GetEnumerator()
    {
        while (Next(out object? item))
            yield return item;
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>What <c>namespace()</c> makes: the one value that a template can change.</summary>
internal sealed class PyNamespace
{
    public Dictionary<string, object?> Members { get; } = new(StringComparer.Ordinal);

    public void Set(RenderContext context, string name, object? value)
    {
        if (name.StartsWith('_'))
            throw context.Error(TemplateErrorKind.Security, $"a namespace cannot hold '{name}': names that start with an underscore are refused");
        Members[name] = value;
    }
}

/// <summary>What <c>cycler()</c> makes.</summary>
internal sealed class Cycler(object?[] items)
{
    private int _position;

    public object? Current => items[_position];

    public object? Next()
    {
        object? item = items[_position];
        _position = (_position + 1) % items.Length;
        return item;
    }

    public void Reset() => _position = 0;
}

/// <summary>What <c>self</c> is in a template: it exists, and has no members here.</summary>
internal sealed class TemplateReference
{
    public static readonly TemplateReference Instance = new();
}

/// <summary>Anything that can be called.</summary>
internal abstract class PyCallable
{
    public abstract string Name { get; }

    public abstract object? Call(RenderContext context, Arguments arguments);
}

/// <summary>A built-in function, or a method bound to its value.</summary>
internal sealed class Function(string name, Func<RenderContext, Arguments, object?> body) : PyCallable
{
    public override string Name => name;

    public override object? Call(RenderContext context, Arguments arguments) => body(context, arguments);
}
