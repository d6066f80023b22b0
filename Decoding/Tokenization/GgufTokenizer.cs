namespace Portable.Decoding.Tokenization;

/// <summary>
/// Builds tokenizers from GGUF vocabularies: byte-level BPE (gpt2), SentencePiece BPE by scores (llama) or merges
/// (gemma4), Unigram (t5), WordPiece (bert).
/// </summary>
internal static class GgufTokenizer
{
    private const int Unknown = 2;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Unused = 5;
    private const int Byte = 6;
    private const char Mark = '\u2581';

    public static TokenizerParts Build(GgufVocabulary source, string file)
    {
        int count = source.Tokens.Count;
        if (count == 0)
            throw new InvalidModelException(file, "tokenizer.ggml.tokens", "at least one token expected");
        CheckLength(file, "tokenizer.ggml.scores", source.Scores?.Count, count);
        CheckLength(file, "tokenizer.ggml.token_type", source.TokenTypes?.Count, count);
        CheckId(file, "tokenizer.ggml.bos_token_id", source.BosId, count);
        CheckId(file, "tokenizer.ggml.eos_token_id", source.EosId, count);
        CheckId(file, "tokenizer.ggml.unknown_token_id", source.UnknownId, count);
        CheckId(file, "tokenizer.ggml.cls_token_id", source.ClassId, count);
        CheckId(file, "tokenizer.ggml.seperator_token_id", source.SeparatorId, count);
        if (source.Model is "t5" or "bert" && source.Tokens.Any(t => t.Length > 1024))
            throw new InvalidModelException(file, "tokenizer.ggml.tokens", "a token of more than 1024 characters");
        return source.Model switch
        {
            "gpt2" => ByteLevel(source, file, byScores: false),
            TiktokenFile.Model => ByteLevel(source, file, byScores: true),
            "llama" => SentencePiece(source, file, byScores: true),
            "gemma4" => SentencePiece(source, file, byScores: false),
            "t5" => Unigram(source, file),
            "bert" => WordPiece(source, file),
            _ => throw new UnsupportedException($"the GGUF tokenizer model {source.Model}", "gpt2, llama, gemma4, t5 and bert are known"),
        };
    }

    private static TokenizerParts ByteLevel(GgufVocabulary source, string file, bool byScores)
    {
        if (GgufPreTokenizers.Find(source.Pre) is not var (stages, normalizer, ignoreMerges))
            throw new UnsupportedException($"the GGUF pre-tokenizer {source.Pre}", "how it splits text is not known");
        Vocabulary vocabulary = ReadVocabulary(source);
        return new TokenizerParts
        {
            Vocabulary = vocabulary,
            Model = new BytePairModel(
                vocabulary, source.CompiledMerges ?? (byScores ? MergesByScore(source, vocabulary, file) : ReadMerges(source, vocabulary, file)), byteFallback: false)
            { IgnoreMerges = ignoreMerges },
            AddedTokens = ReadAddedTokens(source, stripRight: false),
            Normalizer = normalizer,
            PreTokenizers = stages,
            Template = ReadTemplate(source, bosByDefault: source.Pre is "llama3" or "llama-v3" or "llama-bpe"),
            Decoders = [(next, _) => new ByteLevelDecoder(next)],
            ByteLevel = true,
        };
    }

    private static TokenizerParts SentencePiece(GgufVocabulary source, string file, bool byScores)
    {
        bool prefix = source.AddSpacePrefix ?? byScores;
        Vocabulary vocabulary = ReadVocabulary(source);
        var space = new TextPattern(" ");
        var mark = new TextPattern(Mark.ToString());
        Normalizer replace = new ReplaceNormalizer(space, Mark.ToString());
        List<DecoderStageFactory> decoders =
        [
            (next, _) => new ReplaceDecoder(next, mark, " "),
            (next, whole) => new ByteFallbackDecoder(next, whole),
            (next, _) => new FuseDecoder(next),
        ];
        if (prefix)
            decoders.Add((next, _) => new StripDecoder(next, ' ', 1, 0));
        return new TokenizerParts
        {
            Vocabulary = vocabulary,
            Model = new BytePairModel(
                vocabulary, source.CompiledMerges ?? (byScores ? MergesByScore(source, vocabulary, file) : ReadMerges(source, vocabulary, file)), byteFallback: true)
            {
                FuseUnknown = true,
                UnknownId = source.UnknownId ?? -1,
            },

            // Phi-3 strips the blanks behind its special tokens; the format has no key for that.
            AddedTokens = ReadAddedTokens(source, stripRight: byScores && source.Architecture == "phi3"),
            Normalizer = prefix ? new NormalizerSequence([new PrependNormalizer(Mark.ToString()), replace]) : replace,
            Template = ReadTemplate(source, bosByDefault: true),
            Decoders = decoders,
            ByteFallback = true,
        };
    }

    private static TokenizerParts Unigram(GgufVocabulary source, string file)
    {
        if (source.Scores is not { } scores)
            throw new InvalidModelException(file, "tokenizer.ggml.scores", "a list of scores expected, none found");
        if (scores.Any(s => !float.IsFinite(s)))
            throw new InvalidModelException(file, "tokenizer.ggml.scores", "finite numbers expected");
        if (source.UnknownId is not { } unknown)
            throw new InvalidModelException(file, "tokenizer.ggml.unknown_token_id", "an id expected, none found");
        var normalizers = new List<Normalizer>();
        if (source.PrecompiledCharsMap is { Length: > 0 } map)
        {
            normalizers.Add(PrecompiledNormalizer.TryCreate(map.Span) ?? throw new InvalidModelException(
                file, "tokenizer.ggml.precompiled_charsmap", "the length of its table contradicts its own length"));
        }

        if (source.RemoveExtraWhitespaces ?? false)
        {
            normalizers.Add(new StripNormalizer(left: false, right: true));
            normalizers.Add(new ReplaceNormalizer(new TextPattern(new TokenRegex(" {2,}")), Mark.ToString()));
        }

        PrependScheme prepend = source.AddSpacePrefix ?? true ? PrependScheme.Always : PrependScheme.Never;
        Vocabulary vocabulary = ReadVocabulary(source);
        return new TokenizerParts
        {
            Vocabulary = vocabulary,
            Model = new UnigramModel(
                vocabulary, [.. scores.Select(s => (double)s)], unknown, byteFallback: false,
                id => (source.TokenTypes?[id] ?? 1) is not (Unknown or Control or Unused or Byte)),
            AddedTokens = ReadAddedTokens(source, stripRight: false),
            Normalizer = normalizers.Count == 0 ? null : new NormalizerSequence(normalizers),
            PreTokenizers = [new MetaspaceStage(Mark, prepend, split: true)],
            Template = ReadTemplate(source, bosByDefault: false, eosByDefault: true),
            Decoders = [(next, _) => new MetaspaceDecoder(next, Mark, prepend != PrependScheme.Never)],
        };
    }

    private static TokenizerParts WordPiece(GgufVocabulary source, string file)
    {
        const string Continues = "##";
        if (source.UnknownId is not { } unknown)
            throw new InvalidModelException(file, "tokenizer.ggml.unknown_token_id", "an id expected, none found");

        // The format marks the tokens that begin a word instead of those that go on with one.
        var vocabulary = new Vocabulary(source.Tokens.Count);
        for (int id = 0; id < source.Tokens.Count; id++)
        {
            string text = source.Tokens[id];
            if (text.StartsWith(Mark))
                text = text[1..];
            else if (!text.StartsWith('[') || !text.EndsWith(']'))
                text = Continues + text;
            if (!vocabulary.TryAdd(text, id))
                vocabulary.AddAlias(text, id);
        }

        var template = new List<int> { TokenizerParts.TextPlace };
        if ((source.ClassId ?? source.BosId) is { } first)
            template.Insert(0, first);
        if ((source.SeparatorId ?? source.EosId) is { } last)
            template.Add(last);
        return new TokenizerParts
        {
            Vocabulary = vocabulary,
            Model = new WordPieceModel(vocabulary, unknown, Continues, longestWord: 100),
            AddedTokens = ReadAddedTokens(source, stripRight: false),
            Normalizer = new BertNormalizer(cleanText: true, chineseCharacters: true, stripAccents: true, lowercase: true),
            PreTokenizers =
            [
                new CodePointSplit(CodePoints.IsWhiteSpace, SplitBehavior.Removed),
                new CodePointSplit(CodePoints.IsPunctuation, SplitBehavior.Isolated),
            ],
            Template = template,
            Decoders = [(next, _) => new WordPieceDecoder(next, Continues, cleanup: true)],
        };
    }

    private static Vocabulary ReadVocabulary(GgufVocabulary source)
    {
        var vocabulary = new Vocabulary(source.Tokens.Count);
        for (int id = 0; id < source.Tokens.Count; id++)
        {
            // Real files repeat texts (padding, bytes that are no characters); the first one is found by its text.
            if (!vocabulary.TryAdd(source.Tokens[id], id))
                vocabulary.AddAlias(source.Tokens[id], id);
        }

        return vocabulary;
    }

    private static MergeTable ReadMerges(GgufVocabulary source, Vocabulary vocabulary, string file)
    {
        const string Key = "tokenizer.ggml.merges";
        if (source.Merges is not { } merges)
            throw new InvalidModelException(file, Key, "a list of merges expected, none found");
        var table = new MergeTable(merges.Count);
        for (int rank = 0; rank < merges.Count; rank++)
        {
            // The left token may itself begin with a space, never the right one.
            int space = merges[rank].Length < 2 ? -1 : merges[rank].IndexOf(' ', 1);
            if (space < 0)
                throw new InvalidModelException(file, Key, $"entry {rank}: two tokens with a space between expected");
            ReadOnlySpan<char> merge = merges[rank];
            if (TokenizerJson.AddMerge(table, vocabulary, merge[..space], merge[(space + 1)..], 0, rank) is { } problem)
                throw new InvalidModelException(file, Key, $"entry {rank}: {problem}");
        }

        return table;
    }

    // SentencePiece joins the neighbours whose joined token has the greatest score. The pairs of tokens that make a token
    // are found by cutting it at each place; equal scores share a rank, so that the leftmost pair goes first.
    private static MergeTable MergesByScore(GgufVocabulary source, Vocabulary vocabulary, string file)
    {
        if (source.Scores is not { } scores)
            throw new InvalidModelException(file, "tokenizer.ggml.scores", "a list of scores expected, none found");
        float[] ordered = [.. scores.Distinct().OrderDescending()];
        var ranks = new Dictionary<float, int>();
        for (int rank = 0; rank < ordered.Length; rank++)
            ranks[ordered[rank]] = rank;
        var merges = new List<(int Left, int Right, int Rank, int Joined)>();
        for (int id = 0; id < source.Tokens.Count; id++)
        {
            if ((source.TokenTypes?[id] ?? 1) is Unknown or Control or Unused or Byte)
                continue;
            string text = source.Tokens[id];
            if (text.Length > 1024)
                throw new InvalidModelException(file, "tokenizer.ggml.tokens", $"entry {id}: {text.Length} characters, 1024 are the most");
            for (int cut = 1; cut < text.Length; cut++)
            {
                if (vocabulary.TryGetId(text.AsSpan(0, cut), out int left) && vocabulary.TryGetId(text.AsSpan(cut), out int right))
                    merges.Add((left, right, ranks[scores[id]], id));
            }
        }

        var table = new MergeTable(merges.Count);
        foreach ((int left, int right, int rank, int joined) in merges)
            table.Set(left, right, rank, joined);
        return table;
    }

    private static List<AddedToken> ReadAddedTokens(GgufVocabulary source, bool stripRight)
    {
        var tokens = new List<AddedToken>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int id = 0; id < source.Tokens.Count; id++)
        {
            int type = source.TokenTypes?[id] ?? 1;
            string text = source.Tokens[id];
            bool special = type == Control || (type == Unknown && id == source.UnknownId);
            if (!(special || type == UserDefined) || text.Length is 0 or > AddedTokenMatcher.LongestContent || !seen.Add(text))
                continue;
            bool strip = stripRight && text is not ("<unk>" or "<s>" or "<|endoftext|>");

            // The mask of the XLM-R family takes the blanks before it; the format has no key for that either.
            bool mask = text == "<mask>" && source.Model == "t5";
            tokens.Add(new AddedToken(id, text, Special: special, StripLeft: mask, StripRight: strip));
        }

        return tokens;
    }

    private static int[] ReadTemplate(GgufVocabulary source, bool bosByDefault, bool eosByDefault = false)
    {
        var template = new List<int>();
        if ((source.AddBos ?? bosByDefault) && source.BosId is { } bos)
        {
            template.Add(bos);

            // GLM-4 begins with two tokens; the format has a key for one.
            if (source.Pre is "glm4" or "chatglm-bpe" && source.Tokens[bos] == "[gMASK]")
            {
                for (int id = 0; id < source.Tokens.Count; id++)
                {
                    if (source.Tokens[id] == "<sop>")
                        template.Add(id);
                }
            }
        }

        template.Add(TokenizerParts.TextPlace);
        if ((source.AddEos ?? eosByDefault) && source.EosId is { } eos)
            template.Add(eos);
        return [.. template];
    }

    private static void CheckLength(string file, string key, int? found, int expected)
    {
        if (found is not null && found != expected)
            throw new InvalidModelException(file, key, $"{expected} entries expected, one for each token, {found} found");
    }

    private static void CheckId(string file, string key, int? id, int count)
    {
        if (id is { } value && (uint)value >= (uint)count)
            throw new InvalidModelException(file, key, $"an id from 0 to {count - 1} expected, {value} found");
    }
}
