namespace Portable.Decoding.Templates;

internal delegate bool Test(RenderContext context, object? value, Arguments arguments);

/// <summary>What can stand after <c>is</c>.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Test> All = new(StringComparer.Ordinal)
    {
        ["defined"] = Plain(value => value is not Undefined),
        ["undefined"] = Plain(value => value is Undefined),
        ["none"] = Plain(value => value is null),
        ["boolean"] = Plain(value => value is bool),
        ["true"] = Plain(value => value is true),
        ["false"] = Plain(value => value is false),
        ["integer"] = Plain(value => PyNumber.IsInteger(value) && value is not bool),
        ["float"] = Plain(value => value is double),
        ["number"] = Plain(PyNumber.IsNumber),
        ["string"] = Plain(value => value is string or Markup),
        ["mapping"] = Plain(value => value is PyDict),
        ["sequence"] = Plain(value => value is string or Markup or PySequence or PyDict or PyRange or Undefined { Kind: TemplateErrorKind.Undefined }),
        ["iterable"] = Plain(value => value is string or Markup or PySequence or PyDict or PyRange or DictView or Generator or LoopState
            or Undefined { Kind: TemplateErrorKind.Undefined }),
        ["callable"] = Plain(value => value is PyCallable),
        ["escaped"] = Plain(value => value is Markup),
        ["lower"] = (c, value, a) => PyText.IsLower(PyText.Str(c, value)),
        ["upper"] = (c, value, a) => PyText.IsUpper(PyText.Str(c, value)),
        ["odd"] = (c, value, a) => Remainder(c, value, 2L, a.Bind(0)) is not null and var rest && PyCompare.Equal(c, rest, 1L),
        ["even"] = (c, value, a) => PyCompare.Equal(c, Remainder(c, value, 2L, a.Bind(0)), 0L),
        ["divisibleby"] = (c, value, a) => PyCompare.Equal(c, Remainder(c, value, a.Bind(1, "num")[0], a), 0L),
        ["sameas"] = (c, value, a) => Same(value, a.Bind(1, "other")[0]),
        ["in"] = (c, value, a) => PyCompare.Contains(c, a.Bind(1, "seq")[0], value),
        ["filter"] = (c, value, a) => value is string name && Filters.Find(name) is not null,
        ["test"] = (c, value, a) => value is string name && Find(name) is not null,
    };

    static Tests()
    {
        foreach ((Comparator op, string[] names) in new[]
        {
            (Comparator.Equal, new[] { "eq", "equalto", "==" }),
            (Comparator.NotEqual, ["ne", "!="]),
            (Comparator.Less, ["lt", "lessthan", "<"]),
            (Comparator.LessOrEqual, ["le", "<="]),
            (Comparator.Greater, ["gt", "greaterthan", ">"]),
            (Comparator.GreaterOrEqual, ["ge", ">="]),
        })
        {
            foreach (string name in names)
                All[name] = (context, value, arguments) => Comparison.Holds(context, op, value, arguments.Bind(1, "other")[0]);
        }
    }

    public static Test? Find(string name) => All.GetValueOrDefault(name);

    private static Test Plain(Func<object?, bool> holds) => (_, value, arguments) =>
    {
        arguments.Bind(0);
        return holds(value);
    };

    private static object? Remainder(RenderContext context, object? value, object? divisor, Arguments arguments) =>
        PyNumber.Binary(context, '%', value, divisor);

    // Values are the same where Python shares one object: none, truth values, and here equal numbers and texts of one type.
    private static bool Same(object? a, object? b) =>
        ReferenceEquals(a, b) || (a is not null && b is not null && a.GetType() == b.GetType() &&
            (PyNumber.IsNumber(a) || a is string) && PyCompare.KeyEquals(a, b));
}
