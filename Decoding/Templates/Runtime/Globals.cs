using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>The functions that every template can call.</summary>
internal static class Globals
{
    private static readonly string[] Words =
        ["lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do", "eiusmod", "tempor", "magna", "aliqua"];

    private static readonly Dictionary<string, object?> All = new Func<RenderContext, Arguments, object?>[]
    {
        Range, Dict, Namespace, Cycle, Joiner, Lipsum, RaiseException, StrftimeNow,
    }.Zip(["range", "dict", "namespace", "cycler", "joiner", "lipsum", "raise_exception", "strftime_now"])
        .ToDictionary(pair => pair.Second, pair => (object?)new Function(pair.Second, pair.First), StringComparer.Ordinal);

    static Globals() => All["self"] = TemplateReference.Instance;

    public static bool TryGet(string name, out object? value) => All.TryGetValue(name, out value);

    public static bool IsGlobal(string name) => All.ContainsKey(name);

    private static PyRange Range(RenderContext context, Arguments arguments)
    {
        arguments.Bind(1, "start", "stop", "step");
        long start = arguments.Has(1) ? arguments.Integer(0) : 0;
        long stop = arguments.Has(1) ? arguments.Integer(1) : arguments.Integer(0);
        long step = arguments.Integer(2, 1);
        if (step == 0)
            throw context.TypeError("the step of a range cannot be zero");
        if (PyRange.Length(start, stop, step) > context.Options.MaxRange)
            throw context.Error(TemplateErrorKind.Limit, $"a range has more than {context.Options.MaxRange} elements");
        return new PyRange(start, stop, step);
    }

    private static PyDict Dict(RenderContext context, Arguments arguments)
    {
        var dictionary = new PyDict();
        Fill(context, arguments, dictionary.Set);
        return dictionary;
    }

    private static PyNamespace Namespace(RenderContext context, Arguments arguments)
    {
        var names = new PyNamespace();
        Fill(context, arguments, (key, value) =>
            names.Set(context, key as string ?? throw context.TypeError("the names in a namespace are strings"), value));
        return names;
    }

    // From an object or pairs, then from named arguments, as Python's dict().
    private static void Fill(RenderContext context, Arguments arguments, Action<object?, object?> set)
    {
        if (arguments.Positional.Length > 1)
            throw context.TypeError("at most one value can be turned into an object");
        if (arguments.Positional is [PyDict source])
        {
            context.Allocate(96L * source.Count + 200);
            foreach ((object? key, object? value) in source.Entries)
                set(key, value);
        }
        else if (arguments.Positional is [PyNamespace names])
        {
            foreach ((string key, object? value) in names.Members)
                set(key, value);
        }
        else if (arguments.Positional is [var pairs])
        {
            foreach (object? pair in PyIteration.Iterate(context, pairs))
            {
                context.Allocate(96);
                object?[] parts = PyIteration.Unpack(context, pair, 2);
                PyCompare.RequireHashable(context, parts[0]);
                set(parts[0], parts[1]);
            }
        }

        context.Allocate(96L * arguments.Named.Count);
        foreach ((string key, object? value) in arguments.Named)
            set(key, value);
    }

    private static Cycler Cycle(RenderContext context, Arguments arguments) =>
        arguments.Positional.Length > 0 ? new Cycler(arguments.Positional) : throw context.TypeError("cycler() needs values");

    private static Function Joiner(RenderContext context, Arguments arguments)
    {
        arguments.Bind(0, "sep");
        object? separator = arguments.Or(0, ", ");
        bool used = false;
        return new Function("joiner", (_, call) =>
        {
            call.Bind(0);
            object? text = used ? separator : "";
            used = true;
            return text;
        });
    }

    /// <summary>Filler text. The words are always the same: a rendering repeats exactly.</summary>
    private static object Lipsum(RenderContext context, Arguments arguments)
    {
        arguments.Bind(0, "n", "html", "min", "max");
        long paragraphs = Math.Max(0, arguments.Integer(0, 5));
        bool html = arguments.Truth(1, true);
        long count = Math.Max(0, arguments.Integer(2, 20));
        if (count >= arguments.Integer(3, 100))
            throw context.TypeError("lipsum(): min must be below max");
        var output = new StringBuilder();
        for (long p = 0; p < paragraphs; p++)
        {
            if (p > 0)
                output.Append(html ? "\n" : "\n\n");
            output.Append(html ? "<p>" : "");
            for (long w = 0; w < count; w++)
            {
                context.AllocateText(8);
                output.Append(w == 0 ? "" : " ").Append(Words[(p + w) % Words.Length]);
            }

            context.Step();
            output.Append('.').Append(html ? "</p>" : "");
        }

        return html ? new Markup(output.ToString()) : output.ToString();
    }

    private static object? RaiseException(RenderContext context, Arguments arguments)
    {
        arguments.Bind(1, "message");
        throw context.Error(TemplateErrorKind.Raised, PyText.Str(context, arguments[0]));
    }

    private static string StrftimeNow(RenderContext context, Arguments arguments)
    {
        arguments.Bind(1, "format");
        return Strftime.Format(context, context.Options.Clock.GetLocalNow().DateTime, arguments.Text(0));
    }
}
