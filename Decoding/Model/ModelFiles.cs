using System.Text;
using System.Text.Json;
using Portable.Checkpoints;
using Portable.Decoding.Templates;
using Portable.Decoding.Tokenization;

namespace Portable.Decoding;

/// <summary>
/// Opens a model's files, and reads what they say about text, without the weights: tokenizer and chat template. Thread-safe.
/// </summary>
public static class ModelFiles
{
    /// <summary>The model's checkpoint, with the projector file that is named or lies beside it; the caller owns it.</summary>
    /// <exception cref="InvalidModelException">A file is missing or broken.</exception>
    public static Checkpoint Open(ModelOptions options, IEnumerable<IImageEncoderFactory> factories)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(factories);
        if (options.ProjectorPath is { } named)
            return Checkpoint.Open(options.Path, named);
        Checkpoint checkpoint = Checkpoint.Open(options.Path);
        if (checkpoint.Kind != CheckpointKind.Gguf || checkpoint.Engine is not null || GgufProjectors.FindBeside(options.Path) is not { } found)
            return checkpoint;
        try
        {
            // Beside other models' files it may well lie there for another one.
            if (checkpoint.Architecture is not { } architecture || !factories.Any(f => f.TakesProjector(architecture)))
                return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }

        checkpoint.Dispose();
        return Checkpoint.Open(options.Path, found);
    }

    /// <summary>The tokenizer of a checkpoint.</summary>
    /// <exception cref="InvalidModelException">It is missing or broken.</exception>
    /// <exception cref="UnsupportedException">It has a component that is not known.</exception>
    public static Tokenizer ReadTokenizer(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (checkpoint.Kind == CheckpointKind.Gguf)
            return Tokenizer.FromGguf(GgufVocabularyReader.Read(checkpoint), checkpoint.Path);
        if (checkpoint.TryReadFile("tokenizer.json", out byte[]? bytes))
            return Tokenizer.FromJson(bytes, Path.Combine(checkpoint.Path, "tokenizer.json"));
        (bool? addBos, bool? addEos) = ReadAffixes(checkpoint);
        foreach (string name in (ReadOnlySpan<string>)["tokenizer.model", "tekken.json", "qwen.tiktoken"])
        {
            if (!checkpoint.TryReadFile(name, out byte[]? other))
                continue;
            string file = Path.Combine(checkpoint.Path, name);
            GgufVocabulary vocabulary = name switch
            {
                "tekken.json" => TiktokenFile.ReadTekken(other, file),
                "qwen.tiktoken" => TiktokenFile.Read(other, file, "qwen2", TiktokenFile.QwenSpecialTokens),
                _ when SentencePieceFile.IsOne(other) => SentencePieceFile.Read(other, file, addBos, addEos) with { Architecture = Architecture(checkpoint) },
                _ => throw new UnsupportedException($"The tokenizer {file}", "a tokenizer.model is read where it is SentencePiece's; one of ranks (tiktoken) does not say how text is split"),
            };
            return Tokenizer.FromGguf(WithAddedTokens(vocabulary, checkpoint), file);
        }

        throw new InvalidModelException(
            checkpoint.Path, "tokenizer.json", "the file is missing; a model folder needs it, or a tokenizer.model, tekken.json or qwen.tiktoken");
    }

    /// <summary>Whether tokenizer_config.json wants tokens before and after a text.</summary>
    private static (bool? Bos, bool? Eos) ReadAffixes(Checkpoint checkpoint)
    {
        if (!checkpoint.TryReadFile("tokenizer_config.json", out byte[]? bytes))
            return default;
        JsonElement config = ModelFolder.ParseObject(Path.Combine(checkpoint.Path, "tokenizer_config.json"), bytes, allowsDuplicates: true);
        return (Flag("add_bos_token"), Flag("add_eos_token"));

        bool? Flag(string name) => config.TryGetProperty(name, out JsonElement value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;
    }

    /// <summary>The vocabulary with the tokens that tokenizer_config.json adds behind it, and with its word on which are special.</summary>
    private static GgufVocabulary WithAddedTokens(GgufVocabulary vocabulary, Checkpoint checkpoint)
    {
        const int Most = 1 << 20, Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5;
        const string Field = "added_tokens_decoder";
        string path = Path.Combine(checkpoint.Path, "tokenizer_config.json");
        if (!checkpoint.TryReadFile("tokenizer_config.json", out byte[]? bytes)
            || !ModelFolder.ParseObject(path, bytes, allowsDuplicates: true).TryGetProperty(Field, out JsonElement added) || added.ValueKind != JsonValueKind.Object)
            return vocabulary;
        List<string> tokens = [.. vocabulary.Tokens];
        List<int> types = [.. vocabulary.TokenTypes ?? [.. tokens.Select(_ => Normal)]];
        List<float>? scores = vocabulary.Scores is null ? null : [.. vocabulary.Scores];
        foreach (JsonProperty token in added.EnumerateObject())
        {
            if (!int.TryParse(token.Name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int id) || id >= tokens.Count + Most
                || token.Value.ValueKind != JsonValueKind.Object || !token.Value.TryGetProperty("content", out JsonElement content) || content.ValueKind != JsonValueKind.String)
                throw new InvalidModelException(path, $"{Field}.{token.Name}", "an id with an object that has a content expected");
            // Ids between that nothing names are never produced.
            for (; tokens.Count <= id; scores?.Add(0))
            {
                tokens.Add($"<|unused_{tokens.Count}|>");
                types.Add(Unused);
            }

            bool isSpecial = token.Value.TryGetProperty("special", out JsonElement special) && special.ValueKind == JsonValueKind.True;
            tokens[id] = Text(path, Field, content);
            if (types[id] != Unknown)
                types[id] = isSpecial ? Control : UserDefined;
        }

        return vocabulary with { Tokens = tokens, TokenTypes = types, Scores = scores };
    }

    private static string? Architecture(Checkpoint checkpoint) =>
        checkpoint.Config is { } config && config.TryGetProperty("model_type", out JsonElement type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null;

    /// <summary>The chat template of a checkpoint; null when it has none.</summary>
    /// <exception cref="InvalidModelException">A file that should hold it is broken.</exception>
    /// <exception cref="TemplateException">It is no template.</exception>
    public static ChatTemplate? ReadTemplate(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (checkpoint.Kind == CheckpointKind.Gguf)
        {
            const string key = "tokenizer.chat_template";
            return checkpoint.Metadata!.TryGetString(key, out string? text) ? ChatTemplate.Parse(text, key) : null;
        }

        if (checkpoint.TryReadFile("chat_template.jinja", out byte[]? jinja))
            return ChatTemplate.Parse(Encoding.UTF8.GetString(jinja), "chat_template.jinja");
        foreach (string file in (ReadOnlySpan<string>)["chat_template.json", "processor_config.json", "tokenizer_config.json"])
        {
            if (checkpoint.TryReadFile(file, out byte[]? bytes) && FindTemplate(Path.Combine(checkpoint.Path, file), bytes) is { } source)
                return ChatTemplate.Parse(source, file);
        }

        return null;
    }

    /// <summary>The special tokens that templates may name, as variables.</summary>
    internal static IReadOnlyList<(string Name, string Token)> ReadSpecialTokens(Checkpoint checkpoint, Tokenizer tokenizer)
    {
        var tokens = new List<(string, string)>();
        if (checkpoint.Kind == CheckpointKind.Gguf)
        {
            foreach ((string name, string key) in (ReadOnlySpan<(string, string)>)
                [("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("unk_token", "unknown_token_id"), ("pad_token", "padding_token_id")])
            {
                if (checkpoint.Metadata!.TryGetInt32("tokenizer.ggml." + key, out int id) && tokenizer.TokenText(id) is { } text)
                    tokens.Add((name, text));
            }

            return tokens;
        }

        if (!checkpoint.TryReadFile("tokenizer_config.json", out byte[]? bytes))
            return tokens;
        string file = Path.Combine(checkpoint.Path, "tokenizer_config.json");
        JsonElement config = ModelFolder.ParseObject(file, bytes, allowsDuplicates: true);
        foreach (JsonProperty property in config.EnumerateObject())
        {
            if (!property.Name.EndsWith("_token", StringComparison.Ordinal))
                continue;
            if (property.Value.ValueKind == JsonValueKind.String)
                tokens.Add((property.Name, Text(property.Value, property.Name)));
            else if (property.Value.ValueKind == JsonValueKind.Object && property.Value.TryGetProperty("content", out JsonElement content)
                && content.ValueKind == JsonValueKind.String)
                tokens.Add((property.Name, Text(content, property.Name)));
        }

        return tokens;

        string Text(JsonElement value, string field) => ModelFiles.Text(file, field, value);
    }

    private static string Text(string file, string field, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidModelException(file, field, "the string is not well-formed Unicode", error);
        }
    }

    private static string? FindTemplate(string file, byte[] bytes)
    {
        JsonElement json = ModelFolder.ParseObject(file, bytes, allowsDuplicates: true);
        if (!json.TryGetProperty("chat_template", out JsonElement template))
            return null;
        switch (template.ValueKind)
        {
            case JsonValueKind.String:
                return Text(template);
            case JsonValueKind.Array:
                // Several named templates: the one called "default" is for chats without tools, and renders them too.
                foreach (JsonElement named in template.EnumerateArray())
                {
                    if (named.ValueKind == JsonValueKind.Object && named.TryGetProperty("name", out JsonElement name)
                        && name.ValueKind == JsonValueKind.String && Text(name) == "default"
                        && named.TryGetProperty("template", out JsonElement source) && source.ValueKind == JsonValueKind.String)
                        return Text(source);
                }

                throw new InvalidModelException(file, "chat_template", "none of the named templates is called 'default'");
            case JsonValueKind.Null:
                return null;
            default:
                throw new InvalidModelException(file, "chat_template", $"expected a string or a list of named templates, found {template.ValueKind}");
        }

        string Text(JsonElement value) => ModelFiles.Text(file, "chat_template", value);
    }
}
