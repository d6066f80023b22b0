using System.Globalization;
using System.Text.Json;

namespace Portable.Decoding.Architecture;

/// <summary>
/// Reads fields of an untrusted JSON configuration: a wrong type or an absurd value is an error that names file and
/// field, never an exception of the parser.
/// </summary>
internal sealed class ConfigSection(string file, string path, JsonElement element)
{
    /// <summary>The largest dimension believed; beyond it a product of two would leave what memory can hold.</summary>
    public const int MaxDimension = 1 << 24;

    public string File => file;

    public JsonElement Element => element;

    public static ConfigSection Root(string file, JsonElement element) =>
        element.ValueKind == JsonValueKind.Object
            ? new(file, "", element)
            : throw new InvalidModelException(file, null, $"expected a JSON object, found {element.ValueKind}");

    public bool Has(string name) => element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;

    public ConfigSection? Section(string name)
    {
        if (!Has(name))
            return null;
        JsonElement value = element.GetProperty(name);
        return value.ValueKind == JsonValueKind.Object ? new(file, Field(name), value) : throw Wrong(name, "an object", value);
    }

    public string? String(string name)
    {
        if (!Has(name))
            return null;
        JsonElement value = element.GetProperty(name);
        return value.ValueKind == JsonValueKind.String ? Text(name, value) : throw Wrong(name, "a string", value);
    }

    public bool Bool(string name, bool whenAbsent)
    {
        if (!Has(name))
            return whenAbsent;
        JsonElement value = element.GetProperty(name);
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(name, "true or false", value),
        };
    }

    /// <summary>A positive dimension.</summary>
    public int Dimension(string name, int max = MaxDimension) =>
        OptionalDimension(name, max) ?? throw new InvalidModelException(file, Field(name), "the field is missing");

    public int? OptionalDimension(string name, int max = MaxDimension)
    {
        if (!Has(name))
            return null;
        JsonElement value = element.GetProperty(name);
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out int number) || number < 1 || number > max)
            throw Wrong(name, string.Create(CultureInfo.InvariantCulture, $"an integer from 1 to {max}"), value);
        return number;
    }

    public double Number(string name, double? whenAbsent, double min, double max)
    {
        if (!Has(name))
            return whenAbsent ?? throw new InvalidModelException(file, Field(name), "the field is missing");
        JsonElement value = element.GetProperty(name);
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || !(number >= min && number <= max))
            throw Wrong(name, string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}"), value);
        return number;
    }

    /// <summary>An integer, or a list of integers, as a list.</summary>
    public IReadOnlyList<int> Integers(string name, int maxCount = 4096)
    {
        if (!Has(name))
            return [];
        JsonElement value = element.GetProperty(name);
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int single))
            return [single];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > maxCount)
            throw Wrong(name, "integers", value);
        var numbers = new List<int>();
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int number))
                throw Wrong(name, "integers", value);
            numbers.Add(number);
        }

        return numbers;
    }

    /// <summary>A list of a certain number of positive numbers.</summary>
    public IReadOnlyList<float> Positive(string name, int count)
    {
        if (!Has(name))
            throw new InvalidModelException(file, Field(name), "the field is missing");
        JsonElement value = element.GetProperty(name);
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != count)
            throw Wrong(name, string.Create(CultureInfo.InvariantCulture, $"a list of {count} numbers"), value);
        var numbers = new float[count];
        int next = 0;
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetSingle(out float number) || !(number > 0) || float.IsInfinity(number))
                throw Wrong(name, "positive numbers", value);
            numbers[next++] = number;
        }

        return numbers;
    }

    public IReadOnlyList<string>? Strings(string name)
    {
        if (!Has(name))
            return null;
        JsonElement value = element.GetProperty(name);
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(i => i.ValueKind != JsonValueKind.String))
            throw Wrong(name, "a list of strings", value);
        return [.. value.EnumerateArray().Select(i => Text(name, i))];
    }

    private string Text(string name, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidModelException(file, Field(name), "the string is not well-formed Unicode", error);
        }
    }

    public InvalidModelException Wrong(string name, string expected, JsonElement found)
    {
        string text = found.GetRawText();
        return new(file, Field(name), $"expected {expected}, found {(text.Length > 60 ? string.Concat(text.AsSpan(0, 60), "…") : text)}");
    }

    public string Field(string name) => path.Length == 0 ? name : $"{path}.{name}";
}
