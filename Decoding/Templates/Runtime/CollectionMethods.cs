namespace Portable.Decoding.Templates;

/// <summary>The methods of objects, lists, tuples and ranges that change nothing.</summary>
internal static class CollectionMethods
{
    public static Function? Find(PyDict self, string name) => name switch
    {
        "keys" => View(self, name, DictViewKind.Keys),
        "values" => View(self, name, DictViewKind.Values),
        "items" => View(self, name, DictViewKind.Items),
        "get" => new Function(name, (context, arguments) =>
        {
            arguments.Bind(1, "key", "default");
            PyCompare.RequireHashable(context, arguments[0]);
            return self.TryGet(arguments[0], out object? value) ? value : arguments.Or(1, null);
        }),
        "copy" => new Function(name, (context, arguments) =>
        {
            arguments.Bind(0);
            context.Allocate(96L * self.Count + 200);
            return self.Copy();
        }),
        "fromkeys" => new Function(name, (context, arguments) =>
        {
            arguments.Bind(1, "iterable", "value");
            var dictionary = new PyDict();
            foreach (object? key in PyIteration.Iterate(context, arguments[0]))
            {
                context.Allocate(96);
                PyCompare.RequireHashable(context, key);
                dictionary.Set(key, arguments.Or(1, null));
            }

            return dictionary;
        }),
        _ => null,
    };

    public static Function? Find(object sequence, string name) => name switch
    {
        "index" => new Function(name, (context, arguments) =>
        {
            arguments.Bind(1, "value", "start", "stop");
            object? part = PyAccess.Slice(context, sequence, arguments.Or(1, null), arguments.Or(2, null), null);
            long at = 0;
            foreach (object? item in PyIteration.Iterate(context, part))
            {
                context.Step();
                if (PyCompare.Equal(context, item, arguments[0]))
                {
                    long start = arguments.Integer(1);
                    return Boxes.Of(at + (start < 0 ? Math.Max(0, start + PyIteration.Length(context, sequence)) : start));
                }

                at++;
            }

            throw context.TypeError("index(): the value is not among the elements");
        }),
        "count" => new Function(name, (context, arguments) =>
        {
            arguments.Bind(1, "value");
            long count = 0;
            foreach (object? item in PyIteration.Iterate(context, sequence))
            {
                context.Step();
                if (PyCompare.Equal(context, item, arguments[0]))
                    count++;
            }

            return Boxes.Of(count);
        }),
        "copy" when sequence is PyList list => new Function(name, (_, arguments) =>
        {
            arguments.Bind(0);
            return list;
        }),
        _ => null,
    };

    private static Function View(PyDict self, string name, DictViewKind kind) => new(name, (_, arguments) =>
    {
        arguments.Bind(0);
        return new DictView(self, kind);
    });
}
