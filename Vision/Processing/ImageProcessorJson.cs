using System.Text.Json;

namespace Portable.Vision.Processing;

/// <summary>Typed, bounded reading of one processor object; a null value counts as absent.</summary>
internal readonly record struct ImageProcessorJson(string Source, JsonElement Root)
{
    private const int MostSide = 1 << 16;

    public string? Text(string key) =>
        Find(key) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Wrong(key, "a string", value);

    public bool? Flag(string key) =>
        Find(key) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw Wrong(key, "true or false", value);

    public int? Int(string key, int least, int most) => (int?)Long(key, least, most);

    public long? Long(string key, long least, long most) => Find(key) is { } value ? Integer(key, value, least, most) : null;

    public double? Number(string key) => Find(key) is { } value ? Finite(key, value) : null;

    /// <summary>A side in pixels: a number, or an object with equal height and width.</summary>
    public int? Side(string key)
    {
        if (Size(key) is not { } size)
            return null;
        return size.Height is { } side && size.Width == side
            ? side
            : throw new InvalidModelException(Source, key, "expected a number or an object with equal height and width");
    }

    public ImageSizeConfig? Size(string key)
    {
        if (Find(key) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.Number)
        {
            int side = (int)Integer(key, value, 1, MostSide);
            return new ImageSizeConfig { Height = side, Width = side };
        }

        if (value.ValueKind != JsonValueKind.Object)
            throw Wrong(key, "a number or an object", value);
        var inner = new ImageProcessorJson(Source, value);
        return new ImageSizeConfig
        {
            Height = inner.Int("height", 1, MostSide),
            Width = inner.Int("width", 1, MostSide),
            ShortestEdge = inner.Long("shortest_edge", 1, long.MaxValue),
            LongestEdge = inner.Long("longest_edge", 1, long.MaxValue),
        };
    }

    public IReadOnlyList<double>? Channels(string key)
    {
        if (Find(key) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.Number)
        {
            double same = Finite(key, value);
            return [same, same, same];
        }

        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != 3)
            throw Wrong(key, "three numbers, one for each channel", value);
        double[] channels = new double[3];
        for (int i = 0; i < channels.Length; i++)
            channels[i] = Finite(key, value[i]);
        return channels;
    }

    public IReadOnlyList<(int Height, int Width)>? Pinpoints(string key)
    {
        if (Find(key) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > 4096)
            throw Wrong(key, "a list of at most 4096 [height, width] pairs", value);
        var pairs = new List<(int Height, int Width)>(value.GetArrayLength());
        foreach (JsonElement pair in value.EnumerateArray())
        {
            if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2)
                throw Wrong(key, "a list of [height, width] pairs", pair);
            pairs.Add(((int)Integer(key, pair[0], 1, MostSide), (int)Integer(key, pair[1], 1, MostSide)));
        }

        return pairs;
    }

    private JsonElement? Find(string key) =>
        Root.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private long Integer(string key, JsonElement value, long least, long most)
    {
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out long number) || number < least || number > most)
            throw Wrong(key, most == long.MaxValue ? $"an integer of at least {least}" : $"an integer from {least} to {most}", value);
        return number;
    }

    private double Finite(string key, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || !double.IsFinite(number))
            throw Wrong(key, "a finite number", value);
        return number;
    }

    private InvalidModelException Wrong(string key, string expected, JsonElement found)
    {
        string text = found.GetRawText();
        return new InvalidModelException(Source, key, $"expected {expected}, found {(text.Length > 60 ? text[..60] + "…" : text)}");
    }
}
