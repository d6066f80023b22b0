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
    /// <summary>The file of a folder that most tokenizers come in.</summary>
    internal const string TokenizerFile = "tokenizer.json";

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
        CompiledVocabulary? compiled = checkpoint.Engine is not null && checkpoint.TryReadFile(CompiledVocabulary.FileName, out byte[]? stored)
            ? CompiledVocabulary.Read(stored, checkpoint.Path) : null;
        if (checkpoint.Kind == CheckpointKind.Gguf)
            return Tokenizer.FromGguf(GgufVocabularyReader.Read(checkpoint, compiled), checkpoint.Path);
        if (checkpoint.TryReadFile(TokenizerFile, out byte[]? bytes))
            return TokenizerJson.Read(bytes.AsMemory(bytes.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0), Path.Combine(checkpoint.Path, TokenizerFile), compiled);
        if (ReadSentencePiece(checkpoint, out string pieces) is { } sentencePiece)
            return Tokenizer.FromGguf(sentencePiece, pieces);
        foreach (string name in (ReadOnlySpan<string>)["tekken.json", "qwen.tiktoken"])
        {
            if (!checkpoint.TryReadFile(name, out byte[]? other))
                continue;
            string file = Path.Combine(checkpoint.Path, name);
            GgufVocabulary vocabulary = name == "tekken.json"
                ? TiktokenFile.ReadTekken(other, file) : TiktokenFile.Read(other, file, "qwen2", TiktokenFile.QwenSpecialTokens);
            return Tokenizer.FromGguf(WithAddedTokens(vocabulary, checkpoint), file);
        }

        throw new InvalidModelException(
            checkpoint.Path, "tokenizer.json", "the file is missing; a model folder needs it, or a tokenizer.model, tekken.json or qwen.tiktoken");
    }

    /// <summary>The vocabulary of a folder's tokenizer.model, or of Mistral's tokenizer.model.v3 and the like, with added tokens; null where it has none.</summary>
    internal static GgufVocabulary? ReadSentencePiece(Checkpoint checkpoint, out string file)
    {
        file = "";
        foreach (string name in (ReadOnlySpan<string>)["tokenizer.model", .. MistralFormat.SentencePieceFiles])
        {
            if (!checkpoint.TryReadFile(name, out byte[]? bytes))
                continue;
            file = Path.Combine(checkpoint.Path, name);
            if (!SentencePieceFile.IsOne(bytes))
                throw new UnsupportedException($"The tokenizer {file}", "a tokenizer.model is read where it is SentencePiece's; one of ranks (tiktoken) does not say how text is split");
            (bool? addBos, bool? addEos) = ReadAffixes(checkpoint);
            return WithAddedTokens(SentencePieceFile.Read(bytes, file, addBos, addEos) with { Architecture = Architecture(checkpoint) }, checkpoint);
        }

        return null;
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

    internal static string? Architecture(Checkpoint checkpoint) =>
        checkpoint.Config is { } config && config.TryGetProperty("model_type", out JsonElement type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null;

    /// <summary>
    /// The chat templates of a checkpoint by name; null when it has none. A folder with Mistral's own tokenizer (tekken.json, or tokenizer.model without
    /// tokenizer.json) needs no template file: how Mistral's models write conversations is built in.
    /// </summary>
    /// <exception cref="InvalidModelException">A file that should hold them is broken, or none of them is the default.</exception>
    /// <exception cref="UnsupportedException">The folder is of Mistral's own format, in a version that is not known.</exception>
    /// <exception cref="TemplateException">The default one is no template.</exception>
    public static ChatTemplates? ReadTemplates(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return TemplateFiles.Read(checkpoint);
    }

    /// <summary>The default chat template of a checkpoint; null when it has none.</summary>
    /// <inheritdoc cref="ReadTemplates" path="/exception"/>
    public static ChatTemplate? ReadTemplate(Checkpoint checkpoint) => ReadTemplates(checkpoint)?.Default;

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
}
