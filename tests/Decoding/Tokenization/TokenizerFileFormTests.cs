using System.Text;
using System.Text.Json;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Tokenization;
using static Portable.Tests.Decoding.Tokenization.TokenizerFixtures;

namespace Portable.Tests.Decoding.Tokenization;

/// <summary>
/// The forms of a tokenizer other than tokenizer.json: SentencePiece's model, tiktoken's ranks, Mistral's tekken. Checkpoints that have both forms
/// say the same in both; the goldens' tokenizers are written in the other form first, because no published file of it is at hand.
/// </summary>
[Category("Golden")]
internal sealed class TokenizerFileFormTests
{
    private static IEnumerable<TestCaseData> FoldersWithBoth()
    {
        if (Fixtures.Find("checkpoints") is not { } root)
            return [Fixtures.Absent("checkpoints")];
        return [.. Directory.GetDirectories(root).Order(StringComparer.Ordinal).Where(f => File.Exists(Path.Combine(f, "tokenizer.model")))
            .Select(f => new TestCaseData(f).SetName($"tokenizer.model of {Path.GetFileName(f)}"))];
    }

    [TestCaseSource(nameof(FoldersWithBoth))]
    public void A_folders_tokenizer_model_gives_the_ids_of_its_tokenizer_json(string folder)
    {
        Tokenizer wanted = Tokenizer.FromFile(Path.Combine(folder, "tokenizer.json"));
        string copy = Directory.CreateTempSubdirectory("portable-spm-").FullName;
        try
        {
            foreach (string file in Directory.GetFiles(folder).Where(f => Path.GetFileName(f) != "tokenizer.json" && !f.EndsWith(".gguf", StringComparison.Ordinal)))
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            using Checkpoint checkpoint = Checkpoint.Open(copy);
            Tokenizer found = ModelFiles.ReadTokenizer(checkpoint);
            Assert.That(found.Prefix, Is.EqualTo(wanted.Prefix));
            // SentencePiece puts a blank before every text, tokenizer.json's Metaspace not before one that begins with a blank.
            bool isMetaspace = Encoding.UTF8.GetString(Fixtures.Bytes(Path.Combine(folder, "tokenizer.json"))).Contains("\"Metaspace\"", StringComparison.Ordinal);
            foreach (string text in Corpus.Where(t => !isMetaspace || !(t.StartsWith(' ') || t.StartsWith('\u2581'))))
            {
                Assert.That(found.Encode(text), Is.EqualTo(wanted.Encode(text)), $"'{text}' is {string.Join(' ', found.Encode(text))}, expected {string.Join(' ', wanted.Encode(text))}");
                int[] ids = wanted.Encode(text);
                Assert.That(found.Decode(ids), Is.EqualTo(wanted.Decode(ids)), text);
            }
        }
        finally
        {
            Directory.Delete(copy, true);
        }
    }

    private static IEnumerable<TestCaseData> Vocabularies() => Forms(
        header => header.GetProperty("tokenizer").GetString()!, folder => File.Exists(Path.Combine(folder, "vocab.gguf")) || File.Exists(Path.Combine(folder, "vocab.gguf.gz")));

    [TestCaseSource(nameof(Vocabularies))]
    public void A_vocabulary_written_as_a_sentencepiece_model_gives_what_it_gives_itself(string name, string tokenizer)
    {
        string path = Path.Combine(Folder!, tokenizer, "vocab.gguf");
        GgufVocabulary vocabulary = GgufVocabularyReader.Read(Fixtures.Bytes(path));
        if (vocabulary.Model is not ("llama" or "t5") || vocabulary.Scores is null || vocabulary.TokenTypes is null)
            Assert.Ignore($"{name} is {vocabulary.Model}, which SentencePiece does not write");
        Tokenizer wanted = Tokenizer.FromGguf(vocabulary, path);
        byte[] written = SentencePiece(vocabulary);
        Tokenizer found = Tokenizer.FromGguf(
            SentencePieceFile.Read(written, "tokenizer.model", vocabulary.AddBos, vocabulary.AddEos) with { Architecture = vocabulary.Architecture }, "tokenizer.model");
        foreach (string text in Corpus)
            Assert.That(found.Encode(text, addSpecialTokens: true), Is.EqualTo(wanted.Encode(text, addSpecialTokens: true)), text);
    }

    [Test]
    public void Qwens_ranks_written_as_a_tiktoken_file_give_the_references_ids() =>
        Compare("real-qwen2", root => TiktokenFile.Read(Ranks(root, 0), "qwen.tiktoken", "qwen2", TiktokenFile.QwenSpecialTokens));

    [Test]
    public void Mistrals_vocabulary_written_as_tekken_json_gives_the_references_ids() => Compare("real-tekken", root =>
    {
        JsonElement model = root.GetProperty("model");
        string[] special = [.. root.GetProperty("added_tokens").EnumerateArray().OrderBy(t => t.GetProperty("id").GetInt32()).Select(t => t.GetProperty("content").GetString()!)];
        (int Id, string Text)[] vocabulary = [.. model.GetProperty("vocab").EnumerateObject().Select(t => (t.Value.GetInt32(), t.Name)).Where(t => t.Item1 >= special.Length)];
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteStartObject("config");
            json.WriteNumber("default_vocab_size", special.Length + vocabulary.Length);
            json.WriteNumber("default_num_special_tokens", special.Length);
            json.WriteEndObject();
            json.WriteStartArray("vocab");
            foreach ((int id, string text) in vocabulary)
            {
                json.WriteStartObject();
                json.WriteNumber("rank", id - special.Length);
                json.WriteString("token_bytes", Convert.ToBase64String(Bytes(text)));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("special_tokens");
            for (int i = 0; i < special.Length; i++)
            {
                json.WriteStartObject();
                json.WriteNumber("rank", i);
                json.WriteString("token_str", special[i]);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return TiktokenFile.ReadTekken(stream.ToArray(), "tekken.json");
    });

    [Test]
    public void Broken_files_are_refused_with_their_place()
    {
        Assert.Multiple(() =>
        {
            Refused(() => TiktokenFile.Read("IQ== 0\n!! 1"u8, "f", "qwen2", []), "line 2");
            Refused(() => TiktokenFile.Read("IQ== 0\nIg== 2"u8, "f", "qwen2", []), "rank 1 is missing");
            Refused(() => TiktokenFile.Read("IQ== 0\nIg== 0"u8, "f", "qwen2", []), "occurs twice");
            Refused(() => TiktokenFile.ReadTekken("{}"u8.ToArray(), "f"), "config");
            Refused(() => TiktokenFile.ReadTekken("[1"u8.ToArray(), "f"), "not valid JSON");
            Refused(() => SentencePieceFile.Read(new byte[] { 0x0A, 0x7F, 0x0A }, "f", null, null), "a field of 127 bytes");
            Refused(() => SentencePieceFile.Read(new byte[] { 0x0A, 0x03, 0x0A, 0x01, 0xFF }, "f", null, null), "not UTF-8");
            Refused(() => SentencePieceFile.Read(Enumerable.Repeat((byte)0xFF, 20).ToArray(), "f", null, null), "more than ten bytes");
        });

        static void Refused(Action action, string part) => Assert.That(Assert.Throws<InvalidModelException>(action)!.Message, Does.Contain(part));
    }

    private static IEnumerable<TestCaseData> Forms(Func<JsonElement, string> tokenizer, Func<string, bool> exists)
    {
        if (Folder is not { } folder)
            return [Fixtures.Absent("tokenizers")];
        using JsonDocument index = Fixtures.Json(Path.Combine(folder, "index.json"));
        return [.. index.RootElement.EnumerateArray().Where(h => exists(Path.Combine(folder, tokenizer(h))))
            .Select(h => new TestCaseData(h.GetProperty("name").GetString()!, tokenizer(h)).SetName($"SentencePiece form of {h.GetProperty("name").GetString()}"))];
    }

    private static void Compare(string name, Func<JsonElement, GgufVocabulary> rewrite)
    {
        if (Folder is not { } folder)
        {
            Assert.Ignore("the fixtures tokenizers are absent");
            return;
        }

        using JsonDocument index = Fixtures.Json(Path.Combine(folder, "index.json"));
        JsonElement header = index.RootElement.EnumerateArray().FirstOrDefault(h => h.GetProperty("name").GetString() == name);
        if (header.ValueKind == JsonValueKind.Undefined)
            Assert.Ignore($"the fixture {name} is absent");
        using JsonDocument json = JsonDocument.Parse(Fixtures.Bytes(Path.Combine(folder, header.GetProperty("tokenizer").GetString()!, "tokenizer.json")));
        Tokenizer found = Tokenizer.FromGguf(rewrite(json.RootElement), name);
        (_, List<Row> rows) = Golden(name);
        // Fillers of the vocabulary that the golden's tokenizer.json names and the other forms do not know.
        foreach (Row row in rows.Where(r => !r.Text.Contains("[PAD", StringComparison.Ordinal)))
            Assert.That(found.Encode(row.Text), Is.EqualTo(row.Plain), row.Text);
    }

    private static byte[] Ranks(JsonElement root, int first)
    {
        var text = new StringBuilder();
        foreach (JsonProperty token in root.GetProperty("model").GetProperty("vocab").EnumerateObject())
            text.Append(Convert.ToBase64String(Bytes(token.Name))).Append(' ').Append(token.Value.GetInt32() - first).Append('\n');
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static byte[] Bytes(string text) => [.. text.Select(c => (byte)ByteAlphabet.ToByte(c))];

    private static byte[] SentencePiece(GgufVocabulary vocabulary)
    {
        using var file = new MemoryStream();
        for (int id = 0; id < vocabulary.Tokens.Count; id++)
        {
            using var piece = new MemoryStream();
            Field(piece, 1, Encoding.UTF8.GetBytes(vocabulary.Tokens[id]));
            piece.WriteByte((2 << 3) | 5);
            piece.Write(BitConverter.GetBytes(vocabulary.Scores![id]));
            Number(piece, 3, vocabulary.TokenTypes![id]);
            Field(file, 1, piece.ToArray());
        }

        using var trainer = new MemoryStream();
        Number(trainer, 3, vocabulary.Model == "llama" ? 2 : 1);
        Number(trainer, 40, vocabulary.UnknownId ?? -1);
        Number(trainer, 41, vocabulary.BosId ?? -1);
        Number(trainer, 42, vocabulary.EosId ?? -1);
        Field(file, 2, trainer.ToArray());
        using var normalizer = new MemoryStream();
        if (vocabulary.PrecompiledCharsMap is { } map)
            Field(normalizer, 2, map.ToArray());
        Number(normalizer, 3, vocabulary.AddSpacePrefix ?? true ? 1 : 0);
        Number(normalizer, 4, vocabulary.RemoveExtraWhitespaces ?? false ? 1 : 0);
        Field(file, 3, normalizer.ToArray());
        return file.ToArray();
    }

    private static void Field(MemoryStream stream, int field, byte[] bytes)
    {
        Varint(stream, (ulong)((field << 3) | 2));
        Varint(stream, (ulong)bytes.Length);
        stream.Write(bytes);
    }

    private static void Number(MemoryStream stream, int field, long value)
    {
        Varint(stream, (ulong)(field << 3));
        Varint(stream, (ulong)value);
    }

    private static void Varint(MemoryStream stream, ulong value)
    {
        for (; value >= 128; value >>= 7)
            stream.WriteByte((byte)(value | 128));
        stream.WriteByte((byte)value);
    }
}
