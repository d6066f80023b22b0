using System.Text;
using System.Text.Json;
using Portable.Checkpoints;
using Portable.Decoding.Templates;

namespace Portable.Decoding;

/// <summary>
/// Finds the chat templates of a checkpoint in all places where they are kept. Of a folder's files the first that holds any counts, as in
/// transformers: chat_template.jinja, chat_template.json, processor_config.json, tokenizer_config.json; templates in additional_chat_templates join it
/// and win over those of the same name.
/// </summary>
internal static class TemplateFiles
{
    private const string Key = "tokenizer.chat_template";
    private const string Field = "chat_template";
    private const string RawFile = "chat_template.jinja";
    private const string Folder = "additional_chat_templates";
    private const int MostTemplates = 64, LongestName = 128;
    private const long MaximumBytes = 1 << 20;

    /// <summary>The templates; null where a checkpoint has none, nor tells by its tokenizer's format how conversations are written.</summary>
    /// <exception cref="InvalidModelException">A file that should hold them is broken, or none of them is the default.</exception>
    /// <exception cref="UnsupportedException">It is of Mistral's own format, in a version that is not known.</exception>
    /// <exception cref="TemplateException">The default one is no template.</exception>
    public static ChatTemplates? Read(Checkpoint checkpoint)
    {
        var found = new Dictionary<string, (string Source, string Label)>(StringComparer.Ordinal);
        (string file, string? where) = checkpoint.Kind == CheckpointKind.Gguf ? ReadGguf(checkpoint, found) : ReadFolder(checkpoint, found);
        if (found.Count == 0)
            return checkpoint.Kind == CheckpointKind.HuggingFace && MistralFormat.Find(checkpoint) is { } builtIn ? new ChatTemplates(builtIn) : null;
        if (!found.ContainsKey(ChatTemplates.DefaultName))
            throw WithoutDefault(file, where, found.Keys);
        return new ChatTemplates(found);
    }

    private static (string File, string? Where) ReadGguf(Checkpoint checkpoint, Dictionary<string, (string Source, string Label)> found)
    {
        const string Prefix = Key + ".", List = "tokenizer.chat_templates";
        GgufMetadata metadata = checkpoint.Metadata!;
        foreach (string key in metadata.Keys.Where(k => k.StartsWith(Prefix, StringComparison.Ordinal)))
            Add(found, key[Prefix.Length..], metadata.GetString(key), key, checkpoint.Path, key);
        if (metadata.TryGetString(Key, out string? text))
            Add(found, ChatTemplates.DefaultName, text, Key, checkpoint.Path, Key);
        if (metadata.TryGetStringArray(List, out string[]? names) && names.FirstOrDefault(n => !found.ContainsKey(n)) is { } missing)
            throw new InvalidModelException(checkpoint.Path, List, $"it names '{missing}', and there is no {Prefix}{missing}");
        return (checkpoint.Path, Key);
    }

    private static (string File, string? Where) ReadFolder(Checkpoint checkpoint, Dictionary<string, (string Source, string Label)> found)
    {
        (string File, string? Where) place = (Path.Combine(checkpoint.Path, Folder), null);
        // Names with a dot before are what file systems leave behind.
        (string Name, byte[] Bytes)[] more = [.. checkpoint.ReadFiles(Folder, ".jinja", MostTemplates, MaximumBytes).Where(m => !m.Name.StartsWith('.'))];
        bool hasDefault = more.Any(m => Path.GetFileNameWithoutExtension(m.Name) == ChatTemplates.DefaultName);
        if (checkpoint.TryReadFile(RawFile, out byte[]? raw))
        {
            string path = Path.Combine(checkpoint.Path, RawFile);
            Add(found, ChatTemplates.DefaultName, Decoded(raw, path), RawFile, path, null);
        }
        else if (!hasDefault)
        {
            foreach (string name in (ReadOnlySpan<string>)["chat_template.json", "processor_config.json", "tokenizer_config.json"])
            {
                string path = Path.Combine(checkpoint.Path, name);
                if (!checkpoint.TryReadFile(name, out byte[]? bytes) || !ReadJson(path, name, bytes, found))
                    continue;
                place = (path, Field);
                break;
            }
        }

        foreach ((string name, byte[] bytes) in more)
        {
            string variant = Path.GetFileNameWithoutExtension(name), path = Path.Combine(checkpoint.Path, Folder, name);
            if (variant != ChatTemplates.DefaultName || raw is null)
                Add(found, variant, Decoded(bytes, path), $"{Folder}/{name}", path, null);
        }

        return place;
    }

    /// <summary>The templates of a JSON file's chat_template: a text, a list of objects with name and template, or an object of texts by name.</summary>
    private static bool ReadJson(string file, string label, byte[] bytes, Dictionary<string, (string Source, string Label)> found)
    {
        JsonElement json = ModelFolder.ParseObject(file, bytes, allowsDuplicates: true);
        if (!json.TryGetProperty(Field, out JsonElement template) || template.ValueKind == JsonValueKind.Null)
            return false;
        switch (template.ValueKind)
        {
            case JsonValueKind.String:
                Add(found, ChatTemplates.DefaultName, template.GetString()!, label, file, Field);
                break;
            case JsonValueKind.Array:
                int index = 0;
                foreach (JsonElement named in template.EnumerateArray())
                {
                    string where = $"{Field}[{index++}]";
                    Named(Text(named, "name", where), Text(named, "template", where), where);
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty named in template.EnumerateObject())
                    Named(named.Name, Text(template, named.Name, Field), Field);
                break;
            default:
                throw new InvalidModelException(file, Field, $"expected a string or a list of named templates, found {template.ValueKind}");
        }

        return found.Count > 0 ? true : throw WithoutDefault(file, Field, []);

        void Named(string name, string source, string where) =>
            Add(found, name, source, name == ChatTemplates.DefaultName ? label : $"{label} ({name})", file, where);

        string Text(JsonElement of, string name, string where) =>
            of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()!
                : throw new InvalidModelException(file, where, $"an object with a text called '{name}' expected");
    }

    /// <summary>Adds a template; of two with one name the later counts, as in Python's dictionaries.</summary>
    private static void Add(
        Dictionary<string, (string Source, string Label)> found, string name, string source, string label, string file, string? where)
    {
        if (name.Length is 0 or > LongestName || name.Any(char.IsControl))
            throw new InvalidModelException(file, where, $"the name of a template has 1 to {LongestName} characters and no control characters");
        found[name] = (source, label);
        if (found.Count > MostTemplates)
            throw new InvalidModelException(file, where, $"more than {MostTemplates} templates");
    }

    private static InvalidModelException WithoutDefault(string file, string? where, IReadOnlyCollection<string> names) => new(
        file, where, $"none of the named templates is called '{ChatTemplates.DefaultName}'; "
        + (names.Count == 0 ? "there are none" : $"there are {string.Join(", ", names.Order(StringComparer.Ordinal).Select(n => $"'{n}'"))}"));

    private static string Decoded(byte[] bytes, string file)
    {
        try
        {
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidModelException(file, null, "the template is not UTF-8", error);
        }
    }
}
