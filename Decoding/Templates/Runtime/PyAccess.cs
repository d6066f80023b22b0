using System.Numerics;

namespace Portable.Decoding.Templates;

/// <summary>Attributes, subscripts and slices, with the sandbox's rules.</summary>
internal static class PyAccess
{
    private static readonly HashSet<string> MutatingListMethods = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
    private static readonly HashSet<string> MutatingObjectMethods = ["clear", "pop", "popitem", "setdefault", "update"];

    // What every Python object, type or function has under such a name; the sandbox withholds it.
    private static readonly HashSet<string> InternalNames =
    [
        "__class__", "__init__", "__doc__", "__str__", "__repr__", "__hash__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__",
        "__new__", "__reduce__", "__reduce_ex__", "__getattribute__", "__setattr__", "__delattr__", "__dir__", "__format__", "__sizeof__",
        "__subclasshook__", "__init_subclass__", "__getstate__", "__len__", "__iter__", "__contains__", "__getitem__", "__setitem__",
        "__delitem__", "__add__", "__mul__", "__mod__", "__module__", "__dict__", "__globals__", "__code__", "__closure__", "__call__",
        "__name__", "__qualname__", "__mro__", "__bases__", "__base__", "__subclasses__", "__self__", "__func__", "__builtins__",
    ];

    private static readonly HashSet<string> GeneratorInternals = ["gi_frame", "gi_code", "gi_yieldfrom", "gi_running", "gi_suspended"];

    /// <summary><c>value.name</c>: an attribute or method first, then a key.</summary>
    public static object? Attribute(RenderContext context, object? value, string name)
    {
        context.Step();
        if (value is Undefined undefined)
            throw context.Error(undefined.Kind, undefined.Hint);
        if (TryMember(context, value, name, out object? member))
            return member;
        if (value is PyDict dictionary && dictionary.TryGet(name, out object? item))
            return item;
        return Missing(value, name);
    }

    /// <summary><c>value[index]</c>: an element or key first, then an attribute of that name.</summary>
    public static object? Item(RenderContext context, object? value, object? index)
    {
        context.Step();
        switch (value)
        {
            case Undefined undefined:
                throw context.Error(undefined.Kind, undefined.Hint);
            case PyDict dictionary when index is not (PyList or PyDict):
                if (index is PyTuple)
                    PyCompare.RequireHashable(context, index);
                if (dictionary.TryGet(index, out object? item))
                    return item;
                break;
            case PySequence sequence when IsIndex(index, sequence.Items.Length, out int at):
                return sequence.Items[at];
            case PyRange range when IsIndex(index, range.Count, out int at):
                return range[at];
            case string text when PyNumber.IsInteger(index):
                if (CodePoint(context, text, index) is { } codePoint)
                    return codePoint;
                break;
            case Markup marked when PyNumber.IsInteger(index):
                return Item(context, marked.Text, index);
        }

        return PyText.Unmark(index) is string name && TryMember(context, value, name, out object? member)
            ? member
            : Missing(value, PyText.Str(context, index));
    }

    /// <summary>The attribute itself, never a key: what the filter <c>attr</c> gives.</summary>
    public static object? PureAttribute(RenderContext context, object? value, string name) =>
        value is Undefined undefined ? throw context.Error(undefined.Kind, undefined.Hint)
        : TryMember(context, value, name, out object? member) ? member
        : Missing(value, name);

    /// <summary>A slice of a list, tuple, string or range.</summary>
    public static object? Slice(RenderContext context, object? value, object? start, object? stop, object? step)
    {
        if (value is Undefined undefined)
            throw context.Error(undefined.Kind, undefined.Hint);
        value = PyText.Unmark(value);
        if (value is not (string or PySequence or PyRange))
            throw context.TypeError($"{PyText.TypeName(value)} cannot be sliced");
        int length = PyIteration.Length(context, value);
        long stride = step is null ? 1 : Bound(context, step);
        if (stride == 0)
            throw context.TypeError("the step of a slice cannot be zero");
        stride = Math.Clamp(stride, -int.MaxValue, int.MaxValue);
        long from = start is null ? (stride > 0 ? 0 : length - 1) : Clamp(Bound(context, start), length, stride);
        long to = stop is null ? (stride > 0 ? length : -1) : Clamp(Bound(context, stop), length, stride);
        int count = (int)PyRange.Length(from, to, stride);
        switch (value)
        {
            case PyRange range:
                return new PyRange(range.Start + from * range.Step, range.Start + to * range.Step, range.Step * stride);
            case PySequence sequence:
                context.AllocateList(count);
                var items = new object?[count];
                for (int i = 0; i < count; i++)
                    items[i] = sequence.Items[from + i * stride];
                context.Step(count >> 4);
                return sequence is PyList ? new PyList(items) : new PyTuple(items);
            default:
                return SliceText(context, (string)value, (int)from, count, stride);
        }
    }

    public static Undefined Unsafe(object? value, string name) =>
        new($"'{name}' of {PyText.TypeName(value)} is kept from templates", TemplateErrorKind.Security);

    private static object? Missing(object? value, string name) => new Undefined($"{PyText.TypeName(value)} has no '{name}'");

    private static bool TryMember(RenderContext context, object? value, string name, out object? member)
    {
        if (name.StartsWith('_'))
        {
            member = InternalNames.Contains(name) ? Unsafe(value, name) : null;
            return member is not null;
        }

        switch (value)
        {
            case string or Markup:
                member = TextMethods.Find((string)PyText.Unmark(value)!, name);
                return member is not null;
            case PyDict dictionary:
                member = MutatingObjectMethods.Contains(name) ? Unsafe(value, name) : CollectionMethods.Find(dictionary, name);
                return member is not null;
            case GroupTuple group when name is "grouper" or "list":
                member = group.Items[name == "grouper" ? 0 : 1];
                return true;
            case PySequence sequence:
                member = sequence is PyList && MutatingListMethods.Contains(name) ? Unsafe(value, name)
                    : CollectionMethods.Find(sequence, name);
                return member is not null;
            case PyRange range:
                member = name switch
                {
                    "start" => range.Start,
                    "stop" => range.Stop,
                    "step" => range.Step,
                    _ => CollectionMethods.Find(range, name),
                };
                return member is not null;
            case Generator when GeneratorInternals.Contains(name):
                member = Unsafe(value, name);
                return true;
            case PyNamespace names:
                return names.Members.TryGetValue(name, out member);
            case LoopState loop:
                return loop.TryMember(context, name, out member);
            case Macro macro:
                return macro.TryMember(name, out member);
            case Cycler cycler:
                member = name switch
                {
                    "current" => cycler.Current,
                    "next" => new Function("next", (_, arguments) => { arguments.Bind(0); return cycler.Next(); }),
                    "reset" => new Function("reset", (_, arguments) => { arguments.Bind(0); cycler.Reset(); return null; }),
                    _ => null,
                };
                return name is "current" or "next" or "reset";
            case Function { Name: "dict" } when name == "fromkeys":
                member = CollectionMethods.Find(new PyDict(), name);
                return true;
            default:
                member = null;
                return false;
        }
    }

    private static bool IsIndex(object? index, int length, out int at)
    {
        long position = index switch { long number => number, bool truth => truth ? 1 : 0, _ => long.MaxValue };
        if (position < 0)
            position += length;
        at = position >= 0 && position < length ? (int)position : -1;
        return at >= 0;
    }

    private static string? CodePoint(RenderContext context, string text, object? index)
    {
        if (PyText.IsNarrow(text))
            return IsIndex(index, text.Length, out int at) ? text[at].ToString() : null;
        context.Step(text.Length >> 6);
        if (!IsIndex(index, PyText.Length(text), out int point))
            return null;
        int offset = PyText.Offset(text, point);
        return text.Substring(offset, PyText.Width(text, offset));
    }

    private static long Bound(RenderContext context, object? value) => value switch
    {
        long or bool or BigInteger => PyNumber.RequireIndex(context, value),
        Undefined undefined => throw context.Error(undefined.Kind, undefined.Hint),
        _ => throw context.TypeError($"the bounds of a slice are integers or none, not {PyText.TypeName(value)}"),
    };

    private static long Clamp(long bound, int length, long stride)
    {
        if (bound < 0)
            bound = bound < -length ? -1 : bound + length;
        long last = stride > 0 ? length : length - 1;
        return stride > 0 ? Math.Clamp(bound, 0, last) : Math.Clamp(bound, -1, last);
    }

    private static string SliceText(RenderContext context, string text, int from, int count, long stride)
    {
        if (count == 0)
            return "";
        context.AllocateText(count);
        bool narrow = PyText.IsNarrow(text);
        if (!narrow)
            context.Step(text.Length >> 6);
        if (stride == 1)
        {
            int start = narrow ? from : PyText.Offset(text, from);
            if (narrow)
                return text.Substring(start, count);
            int end = start;
            for (int i = 0; i < count; i++)
                end += PyText.Width(text, end);
            return text[start..end];
        }

        context.Step(count >> 2);
        var result = new System.Text.StringBuilder(count);
        if (narrow)
        {
            for (int i = 0; i < count; i++)
                result.Append(text[(int)(from + i * stride)]);
            return result.ToString();
        }

        context.AllocateList(text.Length);
        string[] points = [.. PyText.Split(text)];
        for (int i = 0; i < count; i++)
            result.Append(points[from + i * stride]);
        return result.ToString();
    }
}
