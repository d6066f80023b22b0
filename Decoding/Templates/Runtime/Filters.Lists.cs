using System.Globalization;

namespace Portable.Decoding.Templates;

internal static partial class Filters
{
    /// <summary>Calls a filter whose name is only known now.</summary>
    private static object? Call(RenderContext context, string name, object? value, Arguments arguments) =>
        (Find(name) ?? throw context.Error(TemplateErrorKind.Runtime, $"there is no filter '{name}'"))(context, value, arguments);

    private static PyList ToList(RenderContext context, object? value, Arguments arguments)
    {
        object?[] items = PyIteration.ToArray(context, value);
        return value as PyList ?? new PyList(items);
    }

    private static object? First(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        foreach (object? item in PyIteration.Iterate(context, value))
            return item;
        return new Undefined("the first of no items");
    }

    private static object? Last(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        if (value is Generator || !PyIteration.TryLength(value, out int length))
            throw context.TypeError($"{PyText.TypeName(value)} has no last element");
        if (length == 0)
            return new Undefined("the last of no items");
        if (PyText.Unmark(value) is string or PySequence or PyRange)
            return PyAccess.Item(context, value, -1L);
        return PyIteration.ToArray(context, value)[^1];
    }

    private static object? RandomItem(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        int length = PyIteration.Length(context, value);
        return length == 0 ? new Undefined("a random one of no items") : PyAccess.Item(context, value, (long)Random.Shared.Next(length));
    }

    private static object? Reverse(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        if (PyText.Unmark(value) is string text)
            return PyAccess.Slice(context, text, null, null, -1L);
        object?[] items = PyIteration.ToArray(context, value);
        context.AllocateList(items.Length);
        return value is Generator ? new PyList([.. items.Reverse()]) : new Generator(context, items.Reverse());
    }

    private static string Join(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "d", "attribute");
        string separator = PyText.Str(context, arguments.Or(0, ""));
        Func<object?, object?>? attribute = arguments.Or(1, null) is { } name ? Getter(context, name) : null;
        var parts = new List<string>();
        foreach (object? item in PyIteration.Iterate(context, value))
        {
            string part = PyText.Str(context, attribute is null ? item : attribute(item));
            context.Allocate(16 + 2L * (part.Length + separator.Length));
            context.Step();
            parts.Add(part);
        }

        return string.Join(separator, parts);
    }

    private static IEnumerable<object?> Items(RenderContext context, object? value, Arguments arguments)
    {
        if (value is Undefined)
            yield break;
        if (value is not PyDict dictionary)
            throw context.TypeError($"items needs an object, not {PyText.TypeName(value)}");
        foreach (object? item in new DictView(dictionary, DictViewKind.Items).Items)
            yield return item;
    }

    private static PyList DictSort(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "case_sensitive", "by", "reverse");
        string by = arguments.Has(1) ? arguments.Text(1) : "key";
        if (by is not ("key" or "value"))
            throw context.TypeError("dictsort sorts by 'key' or 'value'");
        if (value is Undefined undefined)
            throw context.Error(undefined.Kind, undefined.Hint);
        if (value is not PyDict dictionary)
            throw context.TypeError($"dictsort needs an object, not {PyText.TypeName(value)}");
        context.AllocateList(dictionary.Count * 3L);
        int part = by == "key" ? 0 : 1;
        bool sensitive = arguments.Truth(0);
        return SortBy(context, new DictView(dictionary, DictViewKind.Items).Items,
            item => Key(context, ((PyTuple)item!).Items[part], sensitive), arguments.Truth(2));
    }

    private static PyList Sort(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "reverse", "case_sensitive", "attribute");
        bool sensitive = arguments.Truth(1);
        Func<object?, object?> key = item => Key(context, item, sensitive);
        if (arguments.Or(2, null) is { } attribute)
        {
            // Several attributes, by commas, sort by the first, then the next.
            object?[] names = attribute is string list ? list.Split(',') : [attribute];
            Func<object?, object?>[] getters = [.. names.Select(name => Getter(context, name))];
            key = item => new PyList([.. getters.Select(get => Key(context, get(item), sensitive))]);
        }

        return SortBy(context, PyIteration.ToArray(context, value), key, arguments.Truth(0));
    }

    private static PyList SortBy(RenderContext context, IEnumerable<object?> items, Func<object?, object?> key, bool reverse)
    {
        object?[] values = [.. items];
        context.AllocateList(values.Length * 4L);
        return new PyList(PyOrder.Sort(context, values, [.. values.Select(key)], reverse));
    }

    private static Generator Unique(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "case_sensitive", "attribute");
        bool sensitive = arguments.Truth(0);
        Func<object?, object?>? attribute = arguments.Or(1, null) is { } name ? Getter(context, name) : null;
        return new Generator(context, Each());

        IEnumerable<object?> Each()
        {
            var seen = new PyDict();
            foreach (object? item in PyIteration.Iterate(context, value))
            {
                object? key = Key(context, attribute is null ? item : attribute(item), sensitive);
                PyCompare.RequireHashable(context, key);
                if (seen.Contains(key))
                    continue;
                context.Allocate(96);
                seen.Set(key, null);
                yield return item;
            }
        }
    }

    private static object? Extreme(RenderContext context, object? value, Arguments arguments, int sign)
    {
        arguments.Bind(0, "case_sensitive", "attribute");
        bool sensitive = arguments.Truth(0);
        Func<object?, object?>? attribute = arguments.Or(1, null) is { } name ? Getter(context, name) : null;
        object? best = new Undefined("the smallest or largest of no items"), bestKey = null;
        bool any = false;
        foreach (object? item in PyIteration.Iterate(context, value))
        {
            context.Step();
            object? key = Key(context, attribute is null ? item : attribute(item), sensitive);
            if (any && !(PyCompare.Order(context, key, bestKey) * sign > 0))
                continue;
            any = true;
            best = item;
            bestKey = key;
        }

        return best;
    }

    private static object? Sum(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "attribute", "start");
        Func<object?, object?>? attribute = arguments.Or(0, null) is { } name ? Getter(context, name) : null;
        object? sum = arguments.Or(1, 0L);
        foreach (object? item in PyIteration.Iterate(context, value))
        {
            context.Step();
            sum = PyNumber.Binary(context, '+', sum, attribute is null ? item : attribute(item));
        }

        return sum;
    }

    private static Generator Map(RenderContext context, object? value, Arguments arguments)
    {
        Func<object?, object?> map;
        if (arguments.Positional.Length == 0 && arguments.Named.FindIndex(argument => argument.Key == "attribute") is >= 0 and int at)
        {
            int other = arguments.Named.FindIndex(argument => argument.Key is not ("attribute" or "default"));
            if (other >= 0)
                throw context.TypeError($"map() has no parameter '{arguments.Named[other].Key}'");
            object? absent = arguments.Named.FirstOrDefault(argument => argument.Key == "default").Value;
            map = Getter(context, arguments.Named[at].Value, absent);
        }
        else
        {
            if (arguments.Positional.Length == 0 || PyText.Unmark(arguments.Positional[0]) is not string name)
                throw context.TypeError("map() needs the name of a filter or an attribute");
            map = item => Call(context, name, item, arguments.Skip(1, name));
        }

        return new Generator(context, Lazily(context, value).Select(map));
    }

    private static Generator Select(RenderContext context, object? value, Arguments arguments, bool byAttribute, bool keep)
    {
        Func<object?, object?>? attribute = null;
        int at = 0;
        if (byAttribute)
        {
            if (arguments.Positional.Length == 0)
                throw context.TypeError("the name of an attribute is missing");
            attribute = Getter(context, arguments.Positional[at++]);
        }

        string? name = arguments.Positional.Length > at ? PyText.Str(context, arguments.Positional[at++]) : null;
        return new Generator(context, Lazily(context, value).Where(item =>
        {
            object? tested = attribute is null ? item : attribute(item);
            bool passes = name is null ? PyCompare.Truth(tested)
                : (Tests.Find(name) ?? throw context.Error(TemplateErrorKind.Runtime, $"there is no test '{name}'"))(context, tested, arguments.Skip(at, name));
            return passes == keep;
        }));
    }

    private static PyList GroupBy(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(1, "attribute", "default", "case_sensitive");
        bool sensitive = arguments.Truth(2);
        Func<object?, object?> get = Getter(context, arguments[0], arguments.Or(1, null));
        PyList sorted = SortBy(context, PyIteration.ToArray(context, value), item => Key(context, get(item), sensitive), false);
        var groups = new List<object?>();
        for (int start = 0; start < sorted.Items.Length;)
        {
            object? key = Key(context, get(sorted.Items[start]), sensitive);
            int end = start + 1;
            while (end < sorted.Items.Length && PyCompare.Equal(context, Key(context, get(sorted.Items[end]), sensitive), key))
                end++;
            context.Allocate(128);
            groups.Add(new GroupTuple(get(sorted.Items[start]), new PyList(sorted.Items[start..end])));
            start = end;
        }

        return new PyList([.. groups]);
    }

    private static Generator Batch(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(1, "linecount", "fill_with");
        long size = arguments.Integer(0);
        object? fill = arguments.Or(1, null);
        return new Generator(context, Each());

        IEnumerable<object?> Each()
        {
            var row = new List<object?>();
            foreach (object? item in PyIteration.Iterate(context, value))
            {
                if (row.Count == size && row.Count > 0)
                {
                    yield return new PyList([.. row]);
                    row.Clear();
                }

                context.Allocate(40);
                row.Add(item);
            }

            if (row.Count == 0)
                yield break;
            if (fill is not null && row.Count < size)
            {
                context.AllocateList(size - row.Count);
                row.AddRange(Enumerable.Repeat(fill, (int)(size - row.Count)));
            }

            yield return new PyList([.. row]);
        }
    }

    private static Generator Slice(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(1, "slices", "fill_with");
        long slices = arguments.Integer(0);
        object? fill = arguments.Or(1, null);
        return new Generator(context, Each());

        IEnumerable<object?> Each()
        {
            object?[] items = PyIteration.ToArray(context, value);
            if (slices == 0)
                throw context.TypeError("slice needs a number of slices above 0");
            long size = items.Length / slices, longer = items.Length % slices, at = 0;
            for (long i = 0; i < slices; i++)
            {
                context.Step();
                long count = size + (i < longer ? 1 : 0);
                context.AllocateList(count + 1);
                var part = new List<object?>(items.AsSpan((int)at, (int)count).ToArray());
                at += count;
                if (fill is not null && i >= longer)
                    part.Add(fill);
                yield return new PyList([.. part]);
            }
        }
    }

    // Whatever is false has no elements here, and what has none fails only when it is walked.
    private static IEnumerable<object?> Lazily(RenderContext context, object? value)
    {
        if (!PyCompare.Truth(value))
            yield break;
        foreach (object? item in PyIteration.Iterate(context, value))
            yield return item;
    }

    // Text without regard to case, unless asked.
    private static object? Key(RenderContext context, object? value, bool sensitive)
    {
        if (sensitive || PyText.Unmark(value) is not string text)
            return value;
        context.AllocateText(text.Length);
        return PyText.Lower(text);
    }

    // Reads a path such as "function.name" or "tags.0".
    private static Func<object?, object?> Getter(RenderContext context, object? attribute, object? absent = null)
    {
        object[] path = PyText.Unmark(attribute) switch
        {
            string name => [.. name.Split('.').Select(part =>
                long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? (object)index : part)],
            long index => [index],
            _ => throw context.TypeError($"an attribute is a string or an integer, not {PyText.TypeName(attribute)}"),
        };
        return item =>
        {
            foreach (object part in path)
            {
                item = PyAccess.Item(context, item, part);
                if (absent is not null && item is Undefined)
                    item = absent;
            }

            return item;
        };
    }
}
