using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Portable.Decoding.Templates;

/// <summary>
/// A value that a template can read: none, a boolean, an integer, a float, a string, a list, or an object whose keys
/// keep their order. Immutable. The default value is none.
/// </summary>
public readonly struct TemplateValue
{
    private const int MaxJsonDepth = 200;

    internal TemplateValue(object? raw) => Raw = raw;

    /// <summary>No value: <c>none</c> in a template, <c>null</c> in JSON.</summary>
    public static TemplateValue None => default;

    /// <summary>Whether this is none.</summary>
    public bool IsNone => Raw is null;

    // null, bool, long, BigInteger, double, string, PyList or PyDict: what the evaluator works on.
    internal object? Raw { get; }

    /// <summary>Text; null becomes none.</summary>
    public static implicit operator TemplateValue(string? value) => new(value);

    /// <summary>A truth value.</summary>
    public static implicit operator TemplateValue(bool value) => new(Boxes.Of(value));

    /// <summary>An integer.</summary>
    public static implicit operator TemplateValue(long value) => new(value);

    /// <summary>An integer.</summary>
    public static implicit operator TemplateValue(int value) => new((long)value);

    /// <summary>A float.</summary>
    public static implicit operator TemplateValue(double value) => new(value);

    /// <summary>A list of values.</summary>
    public static TemplateValue List(params IEnumerable<TemplateValue> items) =>
        new(new PyList([.. items.Select(item => item.Raw)]));

    /// <summary>An object. A key given twice keeps its first place and its last value.</summary>
    public static TemplateValue Object(params IEnumerable<(string Key, TemplateValue Value)> members)
    {
        var dictionary = new PyDict();
        foreach ((string key, TemplateValue value) in members)
            dictionary.Set(key, value.Raw);
        return new TemplateValue(dictionary);
    }

    /// <summary>The value of a JSON element; objects keep the order of their keys.</summary>
    /// <exception cref="TemplateException">The element is nested too deeply, or holds an integer too long to be one.</exception>
    public static TemplateValue FromJson(JsonElement element) => new(Convert(element, 0));

    /// <summary>The text of a string value; false for every other kind.</summary>
    public bool TryGetString(out string text)
    {
        text = Raw as string ?? "";
        return Raw is string;
    }

    /// <summary>The member of an object; false where this is no object or has no such key.</summary>
    public bool TryGetMember(string key, out TemplateValue value)
    {
        object? found = null;
        bool exists = Raw is PyDict dictionary && dictionary.TryGet(key, out found);
        value = new TemplateValue(found);
        return exists;
    }

    /// <summary>The elements of a list; empty for every other kind.</summary>
    public IEnumerable<TemplateValue> Items => Raw is PyList list ? list.Items.Select(item => new TemplateValue(item)) : [];

    private static object? Convert(JsonElement element, int depth)
    {
        if (depth > MaxJsonDepth)
            throw new TemplateException(TemplateErrorKind.Limit, $"a JSON value is nested deeper than {MaxJsonDepth} levels", "JSON", 0);
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var dictionary = new PyDict();
                foreach (JsonProperty property in element.EnumerateObject())
                    dictionary.Set(property.Name, Convert(property.Value, depth + 1));
                return dictionary;
            case JsonValueKind.Array:
                var items = new object?[element.GetArrayLength()];
                int i = 0;
                foreach (JsonElement item in element.EnumerateArray())
                    items[i++] = Convert(item, depth + 1);
                return new PyList(items);
            case JsonValueKind.String:
                return element.GetString();
            case JsonValueKind.Number:
                return Number(element.GetRawText());
            case JsonValueKind.True:
            case JsonValueKind.False:
                return Boxes.Of(element.ValueKind == JsonValueKind.True);
            default:
                return null;
        }
    }

    private static object Number(string text)
    {
        if (text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0)
            return double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long small))
            return small;
        if (text.Length > PyNumber.MaxDigits)
            throw new TemplateException(TemplateErrorKind.Limit, $"an integer has more than {PyNumber.MaxDigits} digits", "JSON", 0);
        return BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
    }
}
