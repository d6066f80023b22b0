using System.Text.Json;

namespace Portable.Checkpoints;

/// <summary>The JSON header of a safetensors file, parsed in one pass over the mapped bytes.</summary>
internal sealed class SafetensorsHeader
{
    private const string MetadataKey = "__metadata__";

    /// <summary>A tensor as the header states it; offsets count from the first byte of the data.</summary>
    public readonly record struct Entry(string Name, string Type, long[] Shape, long Begin, long End);

    /// <summary>Free text by key.</summary>
    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>The tensors, in the order of the header; names are unique.</summary>
    public List<Entry> Tensors { get; } = [];

    /// <summary>Parses the header; the text must be valid UTF-8.</summary>
    public static SafetensorsHeader Read(string path, ReadOnlySpan<byte> json)
    {
        var header = new SafetensorsHeader();
        string? where = null;
        try
        {
            header.Read(path, json, ref where);
            return header;
        }
        // InvalidOperationException: a string with an escaped lone surrogate.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidModelException(path, where, $"the header is not valid JSON: {e.Message.TrimEnd('.')}", e);
        }
    }

    private void Read(string path, ReadOnlySpan<byte> json, ref string? where)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 16 });
        var names = new HashSet<string>(StringComparer.Ordinal);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            where = null;
            where = reader.GetString()!;
            if (!names.Add(where))
                throw new InvalidModelException(path, where, "the name occurs twice in the header");
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new InvalidModelException(path, where, $"found a JSON {reader.TokenType}, expected an object");
            if (where == MetadataKey)
                ReadMetadata(path, ref reader);
            else
                Tensors.Add(ReadEntry(path, where, ref reader));
        }

        where = null;
        // The object has ended; only white space may follow, which the reader itself checks.
        while (reader.Read())
        {
        }

        if (json.TrimEnd((byte)' ') is not [.., (byte)'}'])
            throw new InvalidModelException(path, null, "the header is padded with something else than spaces");
    }

    private void ReadMetadata(string path, ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw new InvalidModelException(path, $"{MetadataKey}.{key}", $"found a JSON {reader.TokenType}, expected a string");
            if (!Metadata.TryAdd(key, reader.GetString()!))
                throw new InvalidModelException(path, $"{MetadataKey}.{key}", "the key occurs twice");
        }
    }

    private static Entry ReadEntry(string path, string name, ref Utf8JsonReader reader)
    {
        string? type = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string field = reader.GetString()!;
            reader.Read();
            switch (field)
            {
                case "dtype":
                    if (type is not null)
                        throw Twice(path, name, field);
                    if (reader.TokenType != JsonTokenType.String)
                        throw new InvalidModelException(path, name, $"dtype is a JSON {reader.TokenType}, expected a string");
                    type = reader.GetString();
                    break;
                case "shape":
                    if (shape is not null)
                        throw Twice(path, name, field);
                    shape = ReadNumbers(path, name, field, ref reader);
                    break;
                case "data_offsets":
                    if (offsets is not null)
                        throw Twice(path, name, field);
                    offsets = ReadNumbers(path, name, field, ref reader);
                    if (offsets.Length != 2)
                        throw new InvalidModelException(path, name, $"data_offsets has {offsets.Length} numbers, expected 2");
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        if (type is null || shape is null || offsets is null)
            throw new InvalidModelException(path, name, $"{(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")} is missing");
        return new Entry(name, type, shape, offsets[0], offsets[1]);
    }

    private static long[] ReadNumbers(string path, string name, string field, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new InvalidModelException(path, name, $"{field} is a JSON {reader.TokenType}, expected an array");
        var numbers = new List<long>(4);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
                throw new InvalidModelException(path, name, $"{field} holds something else than an integer from 0 to 2^63 - 1");
            numbers.Add(number);
        }

        return [.. numbers];
    }

    private static InvalidModelException Twice(string path, string name, string field) =>
        new(path, name, $"{field} occurs twice");
}
