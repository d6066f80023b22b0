using System.Text.Json;

namespace Portable.Checkpoints;

/// <summary>The index of a sharded checkpoint, model.safetensors.index.json: which file holds which tensor.</summary>
internal static class SafetensorsIndex
{
    /// <summary>The name of the index in a model's folder.</summary>
    public const string FileName = "model.safetensors.index.json";

    private const long MaximumBytes = 64 << 20;

    /// <summary>The names of tensors by shard; null where the folder has no index.</summary>
    public static Dictionary<string, HashSet<string>>? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (ModelFolder.TryRead(path, MaximumBytes) is not { } bytes)
            return null;
        JsonElement root = ModelFolder.ParseObject(path, bytes);
        if (!root.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
            throw new InvalidModelException(path, "weight_map", "expected an object that gives the file of each tensor");
        var shards = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach (JsonProperty entry in map.EnumerateObject())
        {
            (string tensor, string file) = Strings(path, entry);
            if (!ModelFolder.IsPlainName(file))
                throw new InvalidModelException(path, tensor, $"the file is named \"{file}\", expected a plain file name beside the index");
            if (!shards.TryGetValue(file, out HashSet<string>? names))
                shards.Add(file, names = new HashSet<string>(StringComparer.Ordinal));
            names.Add(tensor);
        }

        return shards;
    }

    private static (string Tensor, string File) Strings(string path, JsonProperty entry)
    {
        try
        {
            return entry.Value.ValueKind == JsonValueKind.String
                ? (entry.Name, entry.Value.GetString()!)
                : throw new InvalidModelException(path, entry.Name, $"the file is a JSON {entry.Value.ValueKind}, expected a string");
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidModelException(path, "weight_map", "a string is not valid Unicode", e);
        }
    }
}
