using System.Text.Json;

namespace Portable.Decoding.Tokenization;

/// <summary>A value of a tokenizer file with the path to it, so that every error can say where it is.</summary>
internal readonly struct JsonField(JsonElement element, string file, string path)
{
    public JsonElement Element => element;

    public string Path => path;

    public bool IsNull => element.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    public bool IsObject => element.ValueKind == JsonValueKind.Object;

    public bool IsArray => element.ValueKind == JsonValueKind.Array;

    public bool IsString => element.ValueKind == JsonValueKind.String;

    /// <summary>A member; a null node where it is absent.</summary>
    public JsonField this[string name]
    {
        get
        {
            if (!IsObject)
                throw Bad($"an object expected, {Kind} found");
            string inner = path.Length == 0 ? name : $"{path}.{name}";
            try
            {
                return new JsonField(element.TryGetProperty(name, out JsonElement member) ? member : default, file, inner);
            }
            catch (InvalidOperationException e)
            {
                // Names are unescaped only when they are compared.
                throw new InvalidModelException(file, path.Length == 0 ? null : path, "a field's name is not well-formed Unicode", e);
            }
        }
    }

    public IEnumerable<JsonField> Items()
    {
        if (!IsArray)
            throw Bad($"a list expected, {Kind} found");
        int i = 0;
        foreach (JsonElement item in element.EnumerateArray())
            yield return new JsonField(item, file, $"{path}[{i++}]");
    }

    public string Text()
    {
        if (!IsString)
            throw Bad($"a string expected, {Kind} found");
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidModelException(file, path, "a string that is not well-formed Unicode", e);
        }
    }

    public string Text(string whenAbsent) => IsNull ? whenAbsent : Text();

    public bool Flag(bool whenAbsent = false) => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null or JsonValueKind.Undefined => whenAbsent,
        _ => throw Bad($"true or false expected, {Kind} found"),
    };

    public int Integer(int least, int most)
    {
        if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt64(out long value))
            throw Bad($"a whole number expected, {Kind} found");
        return value >= least && value <= most ? (int)value : throw Bad($"{least} to {most} expected, {value} found");
    }

    public double Number()
    {
        if (element.ValueKind != JsonValueKind.Number || !element.TryGetDouble(out double value) || !double.IsFinite(value))
            throw Bad($"a finite number expected, {Kind} found");
        return value;
    }

    public InvalidModelException Bad(string problem) => new(file, path.Length == 0 ? null : path, problem);

    private string Kind => element.ValueKind switch
    {
        JsonValueKind.Undefined => "nothing",
        JsonValueKind.Null => "null",
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => element.GetRawText() is { Length: < 40 } number ? number : "a number",
        _ => element.ValueKind == JsonValueKind.True ? "true" : "false",
    };
}
