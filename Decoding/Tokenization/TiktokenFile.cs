using System.Text;
using System.Text.Json;
using Portable.Checkpoints;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Reads vocabularies of bytes: Qwen's <c>qwen.tiktoken</c> (a line for each token: base64, blank, rank) and Mistral's <c>tekken.json</c> (the same
/// as JSON, with its special tokens). Pairs are joined in the order of the rank of what they make.
/// </summary>
internal static class TiktokenFile
{
    /// <summary>The tokenizer model of what is read here: byte-level BPE whose merges follow from the ranks. No GGUF file has it.</summary>
    public const string Model = "tiktoken";

    private const int MostTokens = 1 << 21;

    /// <summary>The special tokens behind the ranks of a Qwen file, as its published tokenizer code names them.</summary>
    public static IReadOnlyList<string> QwenSpecialTokens { get; } =
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", .. Enumerable.Range(0, 205).Select(i => $"<|extra_{i}|>")];

    /// <summary>Reads a file of ranks.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="file">Its path, for errors.</param>
    /// <param name="pre">How text is split, by GGUF's name.</param>
    /// <param name="special">Special tokens, whose ids follow the ranks.</param>
    /// <exception cref="InvalidModelException">A line is broken, or ranks are missing.</exception>
    public static GgufVocabulary Read(ReadOnlySpan<byte> bytes, string file, string pre, IReadOnlyList<string> special)
    {
        var tokens = new List<string?>();
        int line = 0;
        foreach (Range range in bytes.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> text = bytes[range];
            line++;
            if (text.TrimEnd((byte)'\r').IsEmpty)
                continue;
            int blank = text.IndexOf((byte)' ');
            if (blank < 1 || !System.Buffers.Text.Utf8Parser.TryParse(text[(blank + 1)..], out int rank, out _) || rank < 0 || rank >= MostTokens)
                throw new InvalidModelException(file, $"line {line}", "a token in base64, a blank and its rank expected");
            Put(tokens, rank, Decoded(text[..blank], file, $"line {line}"), file, $"line {line}");
        }

        return Build(tokens, special, [], file, pre);
    }

    /// <summary>Reads a tekken.json.</summary>
    /// <param name="json">The whole file.</param>
    /// <param name="file">Its path, for errors.</param>
    /// <exception cref="InvalidModelException">It is no such file, or contradicts itself.</exception>
    public static GgufVocabulary ReadTekken(ReadOnlyMemory<byte> json, string file)
    {
        JsonElement root = ModelFolder.ParseObject(file, json, allowsDuplicates: true);
        int count = Number(Config(root, file), "default_vocab_size", file);
        string[] special = Special(root, file);
        int specials = special.Length;
        var tokens = new List<string?>();
        foreach (JsonElement one in Member(root, "vocab", JsonValueKind.Array, file).EnumerateArray())
        {
            int rank = Number(one, "rank", file);
            // Files hold more than the model has.
            if (rank < count - specials)
                Put(tokens, rank, Decoded(Encoding.UTF8.GetBytes(Text(one, "token_bytes", file)), file, $"vocab rank {rank}"), file, $"vocab rank {rank}");
        }

        return Build(tokens, [], special, file, "tekken") with { BosId = Array.IndexOf(special, "<s>") is >= 0 and int bos ? bos : null, AddBos = true };
    }

    /// <summary>What a tekken.json says about conversations: the version of their format, null where it states none, and the control tokens.</summary>
    /// <param name="json">The whole file.</param>
    /// <param name="file">Its path, for errors.</param>
    /// <exception cref="InvalidModelException">It is no such file, or contradicts itself.</exception>
    public static (string? Version, IReadOnlyList<string> Special) ReadTekkenFormat(ReadOnlyMemory<byte> json, string file)
    {
        JsonElement root = ModelFolder.ParseObject(file, json, allowsDuplicates: true);
        return (Config(root, file).TryGetProperty("version", out _) ? Text(Config(root, file), "version", file) : null, Special(root, file));
    }

    private static JsonElement Config(JsonElement root, string file) => Member(root, "config", JsonValueKind.Object, file);

    private static string[] Special(JsonElement root, string file)
    {
        JsonElement config = Config(root, file);
        int count = Number(config, "default_vocab_size", file), specials = Number(config, "default_num_special_tokens", file);
        if (specials > count)
            throw new InvalidModelException(file, "config.default_num_special_tokens", $"{specials} of {count} tokens");
        string[] special = [.. Enumerable.Range(0, specials).Select(i => $"<SPECIAL_{i}>")];
        if (root.TryGetProperty("special_tokens", out JsonElement named) && named.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement one in named.EnumerateArray())
            {
                int rank = Number(one, "rank", file);
                if (rank >= specials)
                    throw new InvalidModelException(file, "special_tokens", $"rank {rank} of {specials}");
                special[rank] = Text(one, "token_str", file);
            }
        }
        else
        {
            // Older files leave them to the program, which knows these.
            string[] known =
            [
                "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]",
                "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
            ];
            known.AsSpan(0, Math.Min(known.Length, specials)).CopyTo(special);
        }

        return special;
    }

    private static JsonElement Member(JsonElement of, string name, JsonValueKind kind, string file) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out JsonElement value) && value.ValueKind == kind
            ? value
            : throw new InvalidModelException(file, name, $"{kind} expected");

    private static int Number(JsonElement of, string name, string file) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
        && value.TryGetInt32(out int number) && number >= 0 && number < MostTokens
            ? number
            : throw new InvalidModelException(file, name, $"a number from 0 to {MostTokens - 1} expected");

    private static string Text(JsonElement of, string name, string file)
    {
        try
        {
            return of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()!
                : throw new InvalidModelException(file, name, "a string expected");
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidModelException(file, name, "the string is not well-formed Unicode", error);
        }
    }

    private static byte[] Decoded(ReadOnlySpan<byte> base64, string file, string where)
    {
        byte[] bytes = new byte[base64.Length];
        return System.Buffers.Text.Base64.DecodeFromUtf8(base64, bytes, out _, out int written) == System.Buffers.OperationStatus.Done && written > 0
            ? bytes[..written]
            : throw new InvalidModelException(file, where, "base64 of at least one byte expected");
    }

    private static void Put(List<string?> tokens, int rank, byte[] bytes, string file, string where)
    {
        while (tokens.Count <= rank)
            tokens.Add(null);
        tokens[rank] = tokens[rank] is null
            ? string.Concat(bytes.Select(b => ByteAlphabet.ToChar(b)))
            : throw new InvalidModelException(file, where, $"rank {rank} occurs twice");
    }

    private static GgufVocabulary Build(List<string?> ranked, IReadOnlyList<string> behind, IReadOnlyList<string> before, string file, string pre)
    {
        int missing = ranked.IndexOf(null);
        if (missing >= 0 || ranked.Count == 0)
            throw new InvalidModelException(file, null, ranked.Count == 0 ? "it holds no tokens" : $"rank {missing} is missing");
        const int Control = 3;
        return new GgufVocabulary
        {
            Model = Model,
            Pre = pre,
            Tokens = [.. before, .. ranked!, .. behind],
            Scores = [.. before.Select(_ => 0f), .. ranked.Select((_, rank) => -(float)rank), .. behind.Select(_ => 0f)],
            TokenTypes = [.. before.Select(_ => Control), .. ranked.Select(_ => 1), .. behind.Select(_ => Control)],
        };
    }
}
