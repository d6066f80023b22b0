using System.Text;

namespace Portable.Decoding.Templates;

internal delegate object? Filter(RenderContext context, object? value, Arguments arguments);

/// <summary>What can stand after <c>|</c>.</summary>
internal static partial class Filters
{
    private static readonly Dictionary<string, Filter> All = new(StringComparer.Ordinal)
    {
        ["abs"] = Abs,
        ["attr"] = (c, v, a) => PyAccess.PureAttribute(c, v, a.Bind(1, "name").Text(0)),
        ["batch"] = Batch,
        ["capitalize"] = Text(PyText.Capitalize),
        ["center"] = Center,
        ["count"] = Length,
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = DictSort,
        ["e"] = Escape,
        ["escape"] = Escape,
        ["filesizeformat"] = FileSize,
        ["first"] = First,
        ["float"] = ToFloat,
        ["forceescape"] = (c, v, a) => new Markup(PyText.Escape(c, PyText.Str(c, v))),
        ["format"] = Format,
        ["groupby"] = GroupBy,
        ["indent"] = Indent,
        ["int"] = ToInteger,
        ["items"] = (c, v, a) => new Generator(c, Items(c, v, a.Bind(0))),
        ["join"] = Join,
        ["last"] = Last,
        ["length"] = Length,
        ["list"] = (c, v, a) => ToList(c, v, a.Bind(0)),
        ["lower"] = Text(PyText.Lower),
        ["map"] = Map,
        ["max"] = (c, v, a) => Extreme(c, v, a, 1),
        ["min"] = (c, v, a) => Extreme(c, v, a, -1),
        ["pprint"] = PrettyPrint,
        ["random"] = RandomItem,
        ["reject"] = (c, v, a) => Select(c, v, a, byAttribute: false, keep: false),
        ["rejectattr"] = (c, v, a) => Select(c, v, a, byAttribute: true, keep: false),
        ["replace"] = Replace,
        ["reverse"] = Reverse,
        ["round"] = Round,
        ["safe"] = (c, v, a) => v is Markup ? v : new Markup(PyText.Str(c, v)),
        ["select"] = (c, v, a) => Select(c, v, a, byAttribute: false, keep: true),
        ["selectattr"] = (c, v, a) => Select(c, v, a, byAttribute: true, keep: true),
        ["slice"] = Slice,
        ["sort"] = Sort,
        ["string"] = (c, v, a) => v is Markup ? v : PyText.Str(c, v),
        ["striptags"] = StripTags,
        ["sum"] = Sum,
        ["title"] = Text(Title),
        ["tojson"] = ToJson,
        ["trim"] = Trim,
        ["truncate"] = Truncate,
        ["unique"] = Unique,
        ["upper"] = Text(PyText.Upper),
        ["urlencode"] = UrlEncode,
        ["wordcount"] = WordCount,
        ["wordwrap"] = WordWrap,
        ["xmlattr"] = XmlAttributes,
    };

    public static Filter? Find(string name) => All.GetValueOrDefault(name);

    private static Filter Text(Func<string, string> map) => (context, value, arguments) =>
    {
        arguments.Bind(0);
        string text = PyText.Str(context, value);
        context.AllocateText(text.Length);
        context.Step(text.Length >> 7);
        return map(text);
    };

    private static object? Default(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "default_value", "boolean");
        bool replace = value is Undefined || (arguments.Truth(1) && !PyCompare.Truth(value));
        return replace ? arguments.Or(0, "") : value;
    }

    private static object Length(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        return Boxes.Of((long)PyIteration.Length(context, value));
    }

    private static object? Abs(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        bool negative = PyNumber.IsNumber(value) && (value is double number ? double.IsNegative(number) : PyNumber.Big(value!).Sign < 0);
        return PyNumber.Negate(context, value, negative);
    }

    private static object? ToInteger(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "default", "base");
        object? absent = arguments.Or(0, 0L);
        switch (PyText.Unmark(value))
        {
            case Undefined undefined:
                throw context.Error(undefined.Kind, undefined.Hint);
            case double number:
                return double.IsNaN(number) ? absent : PyNumber.Truncate(context, number);
            case string text:
                context.Step(text.Length >> 6);
                if (PyNumber.ParseInteger(context, text, (int)Math.Clamp(arguments.Integer(1, 10), -1, 100)) is { } integer)
                    return integer;
                return PyNumber.ParseFloat(text) is { } parsed && double.IsFinite(parsed) ? PyNumber.Truncate(context, parsed) : absent;
            case { } whole when PyNumber.IsInteger(whole):
                return PyNumber.Normal(context, PyNumber.Big(whole));
            default:
                return absent;
        }
    }

    private static object? ToFloat(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "default");
        return PyText.Unmark(value) switch
        {
            Undefined undefined => throw context.Error(undefined.Kind, undefined.Hint),
            string text => PyNumber.ParseFloat(text) ?? arguments.Or(0, 0.0),
            { } number when PyNumber.IsNumber(number) => PyNumber.Float(number),
            _ => arguments.Or(0, 0.0),
        };
    }

    private static object? Round(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "precision", "method");
        string method = arguments.Has(1) ? arguments.Text(1) : "common";
        long precision = arguments.Integer(0);
        if (value is Undefined undefined)
            throw context.Error(undefined.Kind, undefined.Hint);
        if (!PyNumber.IsNumber(value))
            throw context.TypeError($"{PyText.TypeName(value)} cannot be rounded");
        if (method == "common")
            return PyNumber.Round(context, value!, precision);
        double scale = Math.Pow(10, precision);
        double scaled = PyNumber.Float(value!) * scale;
        return method switch
        {
            "ceil" => Math.Ceiling(scaled) / scale,
            "floor" => Math.Floor(scaled) / scale,
            _ => throw context.TypeError("the method of round is common, ceil or floor"),
        };
    }

    private static string ToJson(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = PyText.Unmark(arguments.Or(1, null)) switch
        {
            null => null,
            string text => text,
            var count => TextMethods.Pad(context, "", Math.Max(0, PyNumber.RequireIndex(context, count)), 0, " "),
        };
        string item = indent is null ? ", " : ",", key = ": ";
        if (arguments.Or(2, null) is { } separators)
        {
            object?[] both = PyIteration.Unpack(context, separators, 2);
            item = both[0] as string ?? throw context.TypeError("the separators of tojson are strings");
            key = both[1] as string ?? throw context.TypeError("the separators of tojson are strings");
        }

        return new PyJson(context, arguments.Truth(0), indent, item, key, arguments.Truth(3)).Write(value);
    }

    private static string PrettyPrint(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        string text = PyText.Str(context, Sorted(context, value));
        return text.Length <= 80 ? text
            : throw context.Error(TemplateErrorKind.Runtime, "pprint lays out values of up to 80 characters only: use tojson(indent=2)");
    }

    private static object? Sorted(RenderContext context, object? value)
    {
        switch (value)
        {
            case string text:
                var repr = new StringBuilder();
                PyText.Repr(context, repr, text);
                return repr.ToString();
            case PyDict dictionary:
                context.Allocate(96L * dictionary.Count);
                var sorted = new PyDict();
                foreach (object? key in PyOrder.Sort(context, [.. dictionary.Keys]))
                    sorted.Set(key, dictionary.TryGet(key, out object? member) ? member : null);
                return sorted;
            default:
                return value;
        }
    }
}
