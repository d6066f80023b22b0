using System.Text.Json;

namespace Portable.Decoding.Tokenization;

// The model: its vocabulary, merges and scores.
internal static partial class TokenizerJson
{
    private static string ModelKind(JsonField model)
    {
        if (!model.IsObject)
            throw model.Bad("an object expected");
        if (!model["type"].IsNull)
            return model["type"].Text();

        // Older files don't say.
        if (!model["merges"].IsNull)
            return "BPE";
        if (model["vocab"].IsArray)
            return "Unigram";
        return model["max_input_chars_per_word"].IsNull ? "WordLevel" : "WordPiece";
    }

    // These models try every token at every place of a text: the longest token bounds their work.
    private const int LongestTriedToken = 1024;

    private static TokenModel ReadModel(JsonField model, string kind, Vocabulary vocabulary, double[] scores, MergeTable? compiled)
    {
        if (kind is "Unigram" or "WordPiece" && vocabulary.LongestToken > LongestTriedToken)
        {
            throw Unsupported(
                model["vocab"], "a token this long", $"it has {vocabulary.LongestToken} characters, {LongestTriedToken} are the most");
        }

        switch (kind)
        {
            case "BPE":
                return ReadBytePair(model, vocabulary, compiled);
            case "Unigram":
                JsonField unknown = model["unk_id"];
                if (vocabulary.Size == 0)
                    throw model["vocab"].Bad("at least one token expected");
                if (unknown.IsNull)
                    throw Unsupported(model, "a Unigram model without unk_id", "it has no token for unknown characters");
                return new UnigramModel(vocabulary, scores, unknown.Integer(0, vocabulary.Size - 1), model["byte_fallback"].Flag());
            case "WordPiece":
                return new WordPieceModel(
                    vocabulary,
                    RequiredToken(model["unk_token"], vocabulary),
                    model["continuing_subword_prefix"].Text("##"),
                    model["max_input_chars_per_word"].IsNull ? 100 : model["max_input_chars_per_word"].Integer(0, int.MaxValue));
            case "WordLevel":
                return new WordLevelModel(vocabulary, RequiredToken(model["unk_token"], vocabulary));
            default:
                throw Unsupported(model, $"the model {kind}", "BPE, Unigram, WordPiece and WordLevel are known");
        }
    }

    private static int RequiredToken(JsonField token, Vocabulary vocabulary) =>
        vocabulary.TryGetId(token.Text(), out int id) ? id : throw token.Bad($"the vocabulary has no token {token.Text()}");

    private static Vocabulary ReadVocabulary(JsonField node, out double[] scores)
    {
        scores = [];
        if (!node.IsObject)
            throw node.Bad("an object of tokens and ids expected");
        int count = node.Element.GetPropertyCount();
        var vocabulary = new Vocabulary(count);
        foreach (JsonProperty entry in node.Element.EnumerateObject())
        {
            string text = Name(node, entry);
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id < 0 || id >= count + IdSlack)
                throw node.Bad($"token '{text}': an id from 0 to {count + IdSlack - 1} expected");
            if (!vocabulary.TryAdd(text, id))
                throw node.Bad($"token '{text}' with id {id}: this token or this id stands there twice");
        }

        return vocabulary;
    }

    private static string Name(JsonField node, JsonProperty entry)
    {
        try
        {
            return entry.Name;
        }
        catch (InvalidOperationException)
        {
            throw node.Bad("a token that is not well-formed Unicode");
        }
    }

    private static Vocabulary ReadPieces(JsonField node, out double[] scores)
    {
        if (!node.IsArray)
            throw node.Bad("a list of tokens and scores expected");
        int count = node.Element.GetArrayLength();
        var vocabulary = new Vocabulary(count);
        scores = new double[count];
        int id = 0;
        foreach (JsonElement item in node.Element.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Array || item.GetArrayLength() != 2)
                throw node.Bad($"entry {id}: a token and its score expected");
            if (item[1].ValueKind != JsonValueKind.Number || !item[1].TryGetDouble(out scores[id]) || !double.IsFinite(scores[id]))
                throw node.Bad($"entry {id}: a finite score expected");
            string text = StringOf(node, item[0], id);
            if (!vocabulary.TryAdd(text, id))
                throw node.Bad($"entry {id}: token '{text}' stands there twice");
            id++;
        }

        return vocabulary;
    }

    private static string StringOf(JsonField node, JsonElement element, int entry)
    {
        if (element.ValueKind != JsonValueKind.String)
            throw node.Bad($"entry {entry}: a string expected");
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw node.Bad($"entry {entry}: a string that is not well-formed Unicode");
        }
    }

    private static BytePairModel ReadBytePair(JsonField model, Vocabulary vocabulary, MergeTable? compiled)
    {
        JsonField dropout = model["dropout"];
        if (!dropout.IsNull && dropout.Number() != 0)
            throw Unsupported(dropout, "BPE dropout", "it makes ids random; set it to null");
        string prefix = model["continuing_subword_prefix"].Text("");
        string suffix = model["end_of_word_suffix"].Text("");
        bool byteFallback = model["byte_fallback"].Flag();
        if (byteFallback && prefix.Length + suffix.Length > 0)
            throw Unsupported(model, "byte_fallback together with a prefix or suffix of words", "no known tokenizer has both");
        JsonField merges = model["merges"];
        if (!merges.IsArray)
            throw merges.Bad("a list of merges expected");
        MergeTable table = compiled ?? new MergeTable(merges.Element.GetArrayLength());
        int rank = 0;
        foreach (JsonElement merge in merges.Element.EnumerateArray())
        {
            (string left, string right) = Merge(merges, merge, rank);
            if (AddMerge(table, vocabulary, left, right, prefix.Length, rank) is { } problem)
                throw merges.Bad($"entry {rank}: {problem}");
            rank++;
        }

        JsonField unknown = model["unk_token"];
        return new BytePairModel(vocabulary, table, byteFallback)
        {
            IgnoreMerges = model["ignore_merges"].Flag(),
            FuseUnknown = model["fuse_unk"].Flag(),
            UnknownId = unknown.IsNull ? -1 : RequiredToken(unknown, vocabulary),
            ContinuingPrefix = prefix,
            WordSuffix = suffix,
        };
    }

    private static (string Left, string Right) Merge(JsonField merges, JsonElement merge, int rank)
    {
        if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2)
            return (StringOf(merges, merge[0], rank), StringOf(merges, merge[1], rank));
        string text = StringOf(merges, merge, rank);
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || text.IndexOf(' ', space + 1) >= 0)
            throw merges.Bad($"entry {rank}: two tokens with a space between expected, '{text}' found");
        return (text[..space], text[(space + 1)..]);
    }

    /// <summary>Adds the merge of two tokens, whose joined text must be a token too; says what is wrong, or null.</summary>
    internal static string? AddMerge(
        MergeTable table, Vocabulary vocabulary, ReadOnlySpan<char> left, ReadOnlySpan<char> right, int prefix, int rank)
    {
        if (!vocabulary.TryGetId(left, out int leftId))
            return $"the vocabulary has no token '{left}'";
        if (!vocabulary.TryGetId(right, out int rightId))
            return $"the vocabulary has no token '{right}'";
        if (right.Length < prefix)
            return $"'{right}' is shorter than the prefix of words";
        string joined = string.Concat(left, right[prefix..]);
        if (!vocabulary.TryGetId(joined, out int joinedId))
            return $"the vocabulary has no token '{joined}'";
        table.Set(leftId, rightId, rank, joinedId);
        return null;
    }
}
