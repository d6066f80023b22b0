namespace Portable.Decoding.Templates;

/// <summary>Walking, measuring and unpacking values.</summary>
internal static class PyIteration
{
    public static IEnumerable<object?> Iterate(RenderContext context, object? value) => value switch
    {
        PySequence sequence => sequence.Items,
        string text => PyText.Split(text),
        Markup marked => PyText.Split(marked.Text),
        PyDict dictionary => dictionary.Keys,
        DictView view => view.Items,
        PyRange range => Numbers(range),
        Generator generator => generator,
        Undefined { Kind: TemplateErrorKind.Undefined } => [],
        Undefined undefined => throw context.Error(undefined.Kind, undefined.Hint),
        _ => throw context.TypeError($"{PyText.TypeName(value)} cannot be iterated"),
    };

    /// <summary>All elements, counted against the budget.</summary>
    public static object?[] ToArray(RenderContext context, object? value)
    {
        if (value is PySequence sequence)
            return sequence.Items;
        if (TryLength(value, out int known))
            context.AllocateList(known);
        var items = new List<object?>(value is Generator ? 0 : known);
        foreach (object? item in Iterate(context, value))
        {
            if (value is Generator)
                context.Allocate(40);
            items.Add(item);
        }

        context.Step(items.Count >> 2);
        return [.. items];
    }

    public static bool TryLength(object? value, out int length)
    {
        int? found = value switch
        {
            string text => PyText.Length(text),
            Markup marked => PyText.Length(marked.Text),
            PySequence sequence => sequence.Items.Length,
            PyDict dictionary => dictionary.Count,
            DictView view => view.Dictionary.Count,
            PyRange range => range.Count,
            Undefined { Kind: TemplateErrorKind.Undefined } => 0,
            _ => null,
        };
        length = found ?? 0;
        return found is not null;
    }

    public static int Length(RenderContext context, object? value)
    {
        if (value is string text)
            context.Step(text.Length >> 9);
        return TryLength(value, out int length) ? length
            : value is Undefined undefined ? throw context.Error(undefined.Kind, undefined.Hint)
            : throw context.TypeError($"{PyText.TypeName(value)} has no length");
    }

    /// <summary>Exactly <paramref name="count"/> elements, as an assignment to several names needs.</summary>
    public static object?[] Unpack(RenderContext context, object? value, int count)
    {
        var items = new object?[count];
        int i = 0;
        foreach (object? item in Iterate(context, value))
        {
            if (i == count)
                throw context.TypeError($"there are more values than the {count} names to set");
            items[i++] = item;
        }

        return i == count ? items : throw context.TypeError($"there are {i} values for {count} names");
    }

    private static IEnumerable<object?> Numbers(PyRange range)
    {
        for (int i = 0; i < range.Count; i++)
            yield return range[i];
    }
}
