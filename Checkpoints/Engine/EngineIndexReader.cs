using System.Text.Json;

namespace Portable.Checkpoints;

/// <summary>
/// Reads what <see cref="EngineIndexJson"/> writes. By hand, since the serializer's generic types are compiled anew in every process, which would
/// take a fifth of the time of a start.
/// </summary>
internal static class EngineIndexReader
{
    /// <summary>The index; values are not checked against the file.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="InvalidOperationException">A value has another type than it must have.</exception>
    /// <exception cref="FormatException">A number does not fit.</exception>
    /// <exception cref="KeyNotFoundException">A value is missing.</exception>
    public static EngineIndex Read(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        if (reader.Read())
            throw new JsonException("something follows it");
        JsonElement root = document.RootElement;
        return new EngineIndex
        {
            Producer = Text(root, nameof(EngineIndex.Producer)),
            Layout = Text(root, nameof(EngineIndex.Layout)),
            Kind = (CheckpointKind)root.GetProperty(nameof(EngineIndex.Kind)).GetInt32(),
            Source = Text(root, nameof(EngineIndex.Source)),
            Arguments = Text(root, nameof(EngineIndex.Arguments)),
            HeadBits = OptionalNumber(root, nameof(EngineIndex.HeadBits)),
            Architecture = OptionalText(root, nameof(EngineIndex.Architecture)),
            ModelName = OptionalText(root, nameof(EngineIndex.ModelName)),
            Quantization = OptionalText(root, nameof(EngineIndex.Quantization)),
            SourceFiles = Entries(root, nameof(EngineIndex.SourceFiles), static e => new EngineSourceFile(
                Text(e, nameof(EngineSourceFile.Path)), Number(e, nameof(EngineSourceFile.Bytes)), Text(e, nameof(EngineSourceFile.Sample)))),
            Weights = Entries(root, nameof(EngineIndex.Weights), Section),
            Files = Entries(root, nameof(EngineIndex.Files), Section),
            Metadata = OptionalSection(root, nameof(EngineIndex.Metadata)),
            MetadataKeys = root.GetProperty(nameof(EngineIndex.MetadataKeys)).GetInt32(),
            Projector = OptionalSection(root, nameof(EngineIndex.Projector)),
            ProjectorKeys = root.GetProperty(nameof(EngineIndex.ProjectorKeys)).GetInt32(),
            Tensors = Entries(root, nameof(EngineIndex.Tensors), Tensor),
            Matrices = Entries(root, nameof(EngineIndex.Matrices), Matrix),
            Modules = Entries(root, nameof(EngineIndex.Modules), static e => NotNull(e.GetString())),
        };
    }

    private static EngineSection Section(JsonElement entry) => new(
        Text(entry, nameof(EngineSection.Name)), Number(entry, nameof(EngineSection.Offset)), Number(entry, nameof(EngineSection.Bytes)), Text(entry, nameof(EngineSection.Sha256)));

    private static EngineTensor Tensor(JsonElement entry)
    {
        JsonElement shape = entry.GetProperty(nameof(EngineTensor.Shape));
        var dimensions = new long[shape.GetArrayLength()];
        for (int i = 0; i < dimensions.Length; i++)
            dimensions[i] = shape[i].GetInt64();
        return new(
            Text(entry, nameof(EngineTensor.Name)), dimensions, Text(entry, nameof(EngineTensor.Type)), Number(entry, nameof(EngineTensor.Bytes)),
            Number(entry, nameof(EngineTensor.Parameters)), OptionalSection(entry, nameof(EngineTensor.Data)));
    }

    private static EngineMatrix Matrix(JsonElement entry) => new(
        Text(entry, nameof(EngineMatrix.Module)), OptionalNumber(entry, nameof(EngineMatrix.Expert)),
        entry.GetProperty(nameof(EngineMatrix.Rows)).GetInt32(), entry.GetProperty(nameof(EngineMatrix.Columns)).GetInt32(),
        (WeightEncoding)entry.GetProperty(nameof(EngineMatrix.Encoding)).GetByte(), entry.GetProperty(nameof(EngineMatrix.GroupSize)).GetInt32(),
        (GroupOffset)entry.GetProperty(nameof(EngineMatrix.Offset)).GetByte(), entry.GetProperty(nameof(EngineMatrix.HasGroupIndex)).GetBoolean(),
        Text(entry, nameof(EngineMatrix.TensorName)));

    private static T[] Entries<T>(JsonElement parent, string name, Func<JsonElement, T> read) where T : class
    {
        JsonElement list = parent.GetProperty(name);
        var entries = new T[list.GetArrayLength()];
        int i = 0;
        foreach (JsonElement entry in list.EnumerateArray())
            entries[i++] = read(entry);
        return entries;
    }

    private static EngineSection? OptionalSection(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement section) && section.ValueKind != JsonValueKind.Null ? Section(section) : null;

    private static string Text(JsonElement parent, string name) => NotNull(parent.GetProperty(name).GetString());

    private static string? OptionalText(JsonElement parent, string name) => parent.TryGetProperty(name, out JsonElement text) ? text.GetString() : null;

    private static int? OptionalNumber(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement number) && number.ValueKind != JsonValueKind.Null ? number.GetInt32() : null;

    private static long Number(JsonElement parent, string name) => parent.GetProperty(name).GetInt64();

    private static string NotNull(string? text) => text ?? throw new JsonException("a text is null");
}
