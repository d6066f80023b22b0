using System.Text;
using System.Text.Json;
using Portable.Decoding.Tokenization;
using static Portable.Tests.Decoding.Tokenization.TokenizerFixtures;

namespace Portable.Tests.Decoding.Tokenization;

[Category("Golden")]
internal sealed class TokenizerGoldenTests
{
    private static IEnumerable<TestCaseData> EncodeCases() => Cases("ids");

    private static IEnumerable<TestCaseData> DecodeCases() => Cases("decode");

    private static IEnumerable<TestCaseData> PromptCases() => Cases("prompt");

    [TestCaseSource(nameof(EncodeCases))]
    public void Ids_are_those_of_the_reference_on_every_text_as_parsed_as_wrapped_and_as_plain_text(string name, string tokenizer)
    {
        Tokenizer subject = Load(tokenizer);
        (JsonElement header, List<Row> rows) = Golden(name);
        var differences = new List<string>();
        foreach (Row row in rows)
        {
            Compare("ids", row, row.Ids, subject.Encode(row.Text, false, SpecialTokens.Parse), differences);
            Compare("wrapped", row, row.Wrapped, subject.Encode(row.Text, true, SpecialTokens.Parse), differences);
            Compare("plain", row, row.Plain, subject.Encode(row.Text), differences);
        }

        AssertNone(differences, rows.Count * 3);
        Assert.Multiple(() =>
        {
            Assert.That(subject.VocabularySize, Is.EqualTo(header.GetProperty("vocab_size").GetInt32()));
            Assert.That(subject.Prefix, Is.EqualTo(Ints(header.GetProperty("prefix"))));
            Assert.That(subject.Suffix, Is.EqualTo(Ints(header.GetProperty("suffix"))));
        });
    }

    [TestCaseSource(nameof(DecodeCases))]
    public void Ids_decode_to_the_text_of_the_reference_with_and_without_special_tokens(string name, string tokenizer)
    {
        Tokenizer subject = Load(tokenizer);
        (_, List<Row> rows) = Golden(name);
        var differences = new List<string>();
        foreach (Row row in rows)
        {
            Compare("dec", row, row.Decoded, subject.Decode(row.Ids, skipSpecialTokens: false), differences);
            Compare("skip", row, row.Skipped, subject.Decode(row.Ids), differences);
            Compare("wdec", row, row.WrappedDecoded, subject.Decode(row.Wrapped, skipSpecialTokens: false), differences);
            Compare("wskip", row, row.WrappedSkipped, subject.Decode(row.Wrapped), differences);
        }

        AssertNone(differences, rows.Count * 4);
    }

    [TestCaseSource(nameof(PromptCases))]
    public void A_guarded_user_text_gives_the_ids_of_plain_text_and_an_unguarded_prompt_those_of_parsed_text(string name, string tokenizer)
    {
        const char Guard = '\uFDD0';
        Tokenizer subject = Load(tokenizer);
        (_, List<Row> rows) = Golden(name);
        var differences = new List<string>();
        foreach (Row row in rows)
        {
            Compare("unguarded", row, row.Ids, subject.EncodePrompt(row.Text, Guard), differences);
            Compare("guarded", row, row.Plain, subject.EncodePrompt(subject.Guard(row.Text, Guard), Guard), differences);
        }

        AssertNone(differences, rows.Count * 2);
    }

    private static IEnumerable<TestCaseData> StreamCases()
    {
        if (Fixtures.Find("tokenizers", "streaming.json") is not { } path)
            return [Fixtures.Absent("tokenizers/streaming.json")];
        using JsonDocument streams = Fixtures.Json(path);
        return [.. streams.RootElement.EnumerateArray().Select((entry, i) =>
            new TestCaseData(i, entry.GetProperty("tokenizer").GetString()!).SetName($"stream {entry.GetProperty("name").GetString()}"))];
    }

    [TestCaseSource(nameof(StreamCases))]
    public void A_stream_shows_after_each_id_what_the_reference_shows(int index, string tokenizer)
    {
        Tokenizer subject = Load(tokenizer);
        using JsonDocument streams = Fixtures.Json(Fixtures.Find("tokenizers", "streaming.json")!);
        JsonElement entry = streams.RootElement[index];
        bool skip = entry.GetProperty("skip_special_tokens").GetBoolean();
        var differences = new List<string>();
        int sequences = 0;
        foreach (JsonElement sequence in entry.GetProperty("sequences").EnumerateArray())
        {
            sequences++;
            int[] ids = Ints(sequence.GetProperty("ids"));
            string[] expected = [.. sequence.GetProperty("emit").EnumerateArray().Select(e => e.GetString()!), sequence.GetProperty("flush").GetString()!];
            TokenStream stream = subject.CreateStream(skip);
            var text = new StringBuilder();
            var found = new List<string>();
            foreach (int id in ids)
            {
                stream.Append(id, text);
                found.Add(text.ToString());
                text.Clear();
            }

            stream.Flush(text);
            found.Add(text.ToString());
            if (!found.SequenceEqual(expected))
                differences.Add($"{sequence.GetProperty("about")}: expected {JsonSerializer.Serialize(expected)}\n  found {JsonSerializer.Serialize(found)}");
            string whole = sequence.GetProperty("text").GetString()!;
            if (subject.Decode(ids, skip) != whole)
                differences.Add($"{sequence.GetProperty("about")}: decode expected {Show(whole)} found {Show(subject.Decode(ids, skip))}");
        }

        AssertNone(differences, sequences);
    }

    private static IEnumerable<TestCaseData> GgufCases()
    {
        if (Folder is not { } folder)
            return [Fixtures.Absent("tokenizers")];
        using JsonDocument index = Fixtures.Json(Path.Combine(folder, "index.json"));
        var cases = new List<TestCaseData>();
        foreach (JsonElement header in index.RootElement.EnumerateArray())
        {
            string name = header.GetProperty("name").GetString()!;
            string path = Path.Combine(folder, header.GetProperty("tokenizer").GetString()!, "vocab.gguf");
            if (File.Exists(path) || File.Exists(path + ".gz"))
                cases.Add(new TestCaseData(name, path).SetName($"gguf {name}"));
        }

        return cases;
    }

    [TestCaseSource(nameof(GgufCases))]
    public void A_GGUF_vocabulary_alone_gives_the_ids_of_the_reference_on_the_corpus(string name, string path)
    {
        Tokenizer subject;
        try
        {
            subject = Tokenizer.FromGguf(GgufVocabularyReader.Read(Fixtures.Bytes(path)), path);
        }
        catch (UnsupportedException e)
        {
            Assert.Ignore($"not supported yet: {name}: {e.Message}");
            throw;
        }

        List<Row> rows = [.. Golden(name).Rows.Where(r => r.Number >= 0)];
        var differences = new List<string>();
        foreach (Row row in rows)
            Compare("ids", row, row.Ids, subject.Encode(row.Text, false, SpecialTokens.Parse), differences);
        AssertNone(differences, rows.Count);
    }

    private static void Compare(string what, Row row, int[] expected, int[] found, List<string> differences)
    {
        if (!expected.AsSpan().SequenceEqual(found))
            differences.Add($"{what} of row {row.Number} {Show(row.Text)}\n  expected {Show(expected)}\n  found    {Show(found)}");
    }

    private static void Compare(string what, Row row, string expected, string found, List<string> differences)
    {
        if (expected != found)
            differences.Add($"{what} of row {row.Number} {Show(row.Ids)}\n  expected {Show(expected)}\n  found    {Show(found)}");
    }
}
