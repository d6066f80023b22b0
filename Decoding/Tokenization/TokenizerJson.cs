using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Reads <c>tokenizer.json</c>, the format of Hugging Face's tokenizers library. Truncation and padding that it may
/// describe are not applied: they belong to batches of a training run, and would cut what a user wrote.
/// </summary>
internal static partial class TokenizerJson
{
    // How far ids may run past the number of tokens: files leave gaps, but a table can't be had for any number.
    private const int IdSlack = 1 << 20;

    /// <summary>Reads a file.</summary>
    /// <param name="json">Its content.</param>
    /// <param name="file">Its name, for errors.</param>
    /// <param name="compiled">The vocabulary and merges, where the file comes without them.</param>
    public static Tokenizer Read(ReadOnlyMemory<byte> json, string file, CompiledVocabulary? compiled = null)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 32 });
            return new Tokenizer(Read(new JsonField(document.RootElement, file, ""), compiled));
        }
        catch (JsonException e)
        {
            throw new InvalidModelException(file, null, "not sound JSON: " + e.Message.TrimEnd('.'), e);
        }
    }

    /// <summary>A file without the vocabulary and merges of its model.</summary>
    public static byte[] WithoutVocabulary(byte[] json)
    {
        JsonNode root = JsonNode.Parse(json.AsSpan(json.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0))!;
        root["model"]!["vocab"] = new JsonObject();
        root["model"]!["merges"] = new JsonArray();
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static TokenizerParts Read(JsonField root, CompiledVocabulary? compiled)
    {
        JsonField model = root["model"];
        string kind = ModelKind(model);
        double[] scores = [];
        Vocabulary vocabulary = compiled is not null && kind == "BPE" ? compiled.Vocabulary : kind == "Unigram" ? ReadPieces(model["vocab"], out scores) : ReadVocabulary(model["vocab"], out scores);
        var decoders = new List<DecoderStageFactory>();
        var decoding = new DecoderState();
        if (root["decoder"].IsNull)
            decoders.Add((next, _) => new JoinDecoder(next));
        else
            ReadDecoder(root["decoder"], decoders, decoding);
        var stages = new List<PieceStage>();
        ReadPreTokenizer(root["pre_tokenizer"], stages);
        List<AddedToken> added = ReadAddedTokens(root["added_tokens"], vocabulary);
        int[] template = ReadPostProcessor(root["post_processor"]);
        foreach (int id in template)
        {
            if (id != TokenizerParts.TextPlace && vocabulary[id] is null && !added.Exists(t => t.Id == id))
                throw root["post_processor"].Bad($"it adds id {id}, which is no token");
        }

        return new TokenizerParts
        {
            Vocabulary = vocabulary,
            Model = ReadModel(model, kind, vocabulary, scores, compiled?.Merges),
            AddedTokens = added,
            Normalizer = ReadNormalizer(root["normalizer"]),
            PreTokenizers = stages,
            Template = template,
            Decoders = decoders,
            ByteLevel = decoding.ByteLevel,
            ByteFallback = decoding.ByteFallback,
        };
    }

    private static UnsupportedException Unsupported(JsonField node, string what, string reason) =>
        new($"{what} in {node.Path}", reason);

    private static List<AddedToken> ReadAddedTokens(JsonField node, Vocabulary vocabulary)
    {
        var tokens = new List<AddedToken>();
        if (node.IsNull)
            return tokens;
        var ids = new Dictionary<int, string>();
        var contents = new HashSet<string>(StringComparer.Ordinal);
        int most = vocabulary.Size + node.Element.GetArrayLengthOrZero() + IdSlack;
        foreach (JsonField item in node.Items())
        {
            string content = item["content"].Text();
            int id = item["id"].Integer(0, most);
            if (content.Length == 0)
                continue;
            if (content.Length > AddedTokenMatcher.LongestContent)
                throw Unsupported(item["content"], "an added token this long", $"it has {content.Length} characters, {AddedTokenMatcher.LongestContent} are the most");
            if (vocabulary.TryGetId(content, out int known) && known != id)
                throw item["id"].Bad($"{known} expected, the id of this token in the vocabulary, {id} found");
            if (!ids.TryAdd(id, content) || (vocabulary[id] is { } other && other != content))
                throw item["id"].Bad($"{id} is the id of another token too");
            if (!contents.Add(content))
                throw item["content"].Bad("the same token stands in the list before");
            tokens.Add(new AddedToken(
                id,
                content,
                item["special"].Flag(),
                item["normalized"].Flag(),
                item["single_word"].Flag(),
                item["lstrip"].Flag(),
                item["rstrip"].Flag()));
        }

        return tokens;
    }

    private static int[] ReadPostProcessor(JsonField node)
    {
        if (node.IsNull)
            return [TokenizerParts.TextPlace];
        switch (node["type"].Text())
        {
            case "ByteLevel":
                return [TokenizerParts.TextPlace];
            case "BertProcessing" or "RobertaProcessing":
                return [PairId(node["cls"]), TokenizerParts.TextPlace, PairId(node["sep"])];
            case "TemplateProcessing":
                return ReadTemplate(node);
            case "Sequence":
                int[] template = [TokenizerParts.TextPlace];
                foreach (JsonField processor in node["processors"].Items())
                {
                    // Each wraps what the one before made.
                    template = [.. ReadPostProcessor(processor).SelectMany(id => id == TokenizerParts.TextPlace ? template : [id])];
                    if (template.Length > 1000)
                        throw node["processors"].Bad("the processors make more than 1000 ids around a text");
                }

                return template;
            case var type:
                throw Unsupported(node, $"the post-processor {type}", "ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing and Sequence are known");
        }
    }

    private static int PairId(JsonField pair)
    {
        JsonField[] items = [.. pair.Items()];
        return items.Length == 2 ? items[1].Integer(0, int.MaxValue) : throw pair.Bad("a token and its id expected");
    }

    private static int[] ReadTemplate(JsonField node)
    {
        var ids = new List<int>();
        JsonField specials = node["special_tokens"];
        foreach (JsonField part in node["single"].Items())
        {
            if (!part["Sequence"].IsNull)
            {
                ids.Add(TokenizerParts.TextPlace);
                continue;
            }

            JsonField name = part["SpecialToken"]["id"];
            JsonField special = specials[name.Text()];
            if (special.IsNull)
                throw name.Bad($"special_tokens has no entry {name.Text()}");
            foreach (JsonField id in special["ids"].Items())
                ids.Add(id.Integer(0, int.MaxValue));
            if (ids.Count > 1000)
                throw node["single"].Bad("more than 1000 ids around a text");
        }

        return [.. ids];
    }

    private static TextPattern ReadPattern(JsonField pattern)
    {
        if (!pattern["String"].IsNull)
            return new TextPattern(pattern["String"].Text());
        return new TextPattern(new TokenRegex(pattern["Regex"].Text()));
    }

    private static int GetArrayLengthOrZero(this JsonElement element) =>
        element.ValueKind == JsonValueKind.Array ? element.GetArrayLength() : 0;
}
