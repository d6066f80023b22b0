using System.Text;
using System.Text.Json.Nodes;
using Portable.Decoding.Tokenization;

namespace Portable.Tests.Decoding.Tokenization;

internal sealed class TokenizerFileTests
{
    [Test]
    public void A_file_cut_off_anywhere_is_a_typed_error_that_names_it()
    {
        byte[] whole = Encoding.UTF8.GetBytes(TinyTokenizer.Json((TinyTokenizer.Start, true)).ToJsonString());
        for (int length = 0; length < whole.Length; length += 97)
        {
            var error = Assert.Throws<InvalidModelException>(() => Tokenizer.FromJson(whole.AsMemory(0, length), "cut.json"))!;
            Assert.That(error.File, Is.EqualTo("cut.json"));
        }
    }

    [Test]
    public void An_absent_file_is_a_typed_error_that_names_it() => Assert.That(
        Assert.Throws<InvalidModelException>(() => Tokenizer.FromFile("/nowhere/tokenizer.json"))!.Message, Does.Contain("/nowhere/tokenizer.json"));

    [Test]
    public void Nesting_beyond_reason_is_a_typed_error()
    {
        string deep = string.Concat(Enumerable.Repeat("{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[", 5000));
        Assert.Throws<InvalidModelException>(() => Tokenizer.FromJson(Encoding.UTF8.GetBytes(deep), "deep.json"));
    }

    [TestCase("model", "[]", "model")]
    [TestCase("model", "null", "model")]
    [TestCase("model.vocab", "7", "model.vocab")]
    [TestCase("model.vocab", """{"a": -1}""", "model.vocab")]
    [TestCase("model.vocab", """{"a": 2000000000}""", "model.vocab")]
    [TestCase("model.vocab", """{"a": 99999999999999}""", "model.vocab")]
    [TestCase("model.vocab", """{"a": 1.5}""", "model.vocab")]
    [TestCase("model.vocab", """{"a": "0"}""", "model.vocab")]
    [TestCase("model.vocab", """{"a": 0, "b": 0}""", "model.vocab")]
    [TestCase("model.vocab", """{"\ud800": 0}""", "model.vocab")]
    [TestCase("model.merges", "{}", "model.merges")]
    [TestCase("model.merges", """["a"]""", "model.merges")]
    [TestCase("model.merges", """["a b c"]""", "model.merges")]
    [TestCase("model.merges", """["a zz"]""", "model.merges")]
    [TestCase("model.merges", """["zz a"]""", "model.merges")]
    [TestCase("model.merges", """[["a", "b"]]""", "model.merges")]
    [TestCase("model.merges", """[["a"]]""", "model.merges")]
    [TestCase("model.merges", "[3]", "model.merges")]
    [TestCase("model.unk_token", "\"nowhere\"", "model.unk_token")]
    [TestCase("model.byte_fallback", "\"yes\"", "model.byte_fallback")]
    [TestCase("added_tokens", "{}", "added_tokens")]
    [TestCase("added_tokens", """[{"id": 4000000, "content": "x"}]""", "added_tokens[0].id")]
    [TestCase("added_tokens", """[{"id": 300, "content": "x1"}, {"id": 300, "content": "y1"}]""", "added_tokens[1].id")]
    [TestCase("added_tokens", """[{"id": 300, "content": "x1"}, {"id": 301, "content": "x1"}]""", "added_tokens[1].content")]
    [TestCase("added_tokens", """[{"id": 3, "content": "x1"}]""", "added_tokens[0].id")]
    [TestCase("added_tokens", """[{"id": 3, "content": "aa"}]""", "added_tokens[0].id")]
    [TestCase("added_tokens", """[{"id": 300, "content": 5}]""", "added_tokens[0].content")]
    [TestCase("added_tokens", """[{"id": 300, "content": "x1", "special": 1}]""", "added_tokens[0].special")]
    [TestCase("normalizer", """{"type": 5}""", "normalizer.type")]
    [TestCase("normalizer", """{"type": "Precompiled", "precompiled_charsmap": "****"}""", "normalizer.precompiled_charsmap")]
    [TestCase("normalizer", """{"type": "Precompiled", "precompiled_charsmap": "/////w=="}""", "normalizer.precompiled_charsmap")]
    [TestCase("normalizer", """{"type": "Sequence", "normalizers": [{"type": "Prepend"}]}""", "normalizer.normalizers[0].prepend")]
    [TestCase("pre_tokenizer", """{"type": "Split", "pattern": {"String": " "}, "behavior": "Sideways"}""", "pre_tokenizer.behavior")]
    [TestCase("pre_tokenizer", "[]", "pre_tokenizer")]
    [TestCase("post_processor", """{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}]}""", "post_processor.special_tokens")]
    [TestCase("post_processor", """{"type": "BertProcessing", "cls": ["x", 9999], "sep": ["x", 1]}""", "post_processor")]
    [TestCase("decoder", """{"type": "Strip", "content": " ", "start": -1, "stop": 0}""", "decoder.start")]
    public void A_broken_field_is_a_typed_error_that_names_it(string field, string value, string where)
    {
        string json = With(field, value);
        var error = Assert.Throws<InvalidModelException>(() => Tokenizer.FromJson(Encoding.UTF8.GetBytes(json), "broken.json"))!;
        Assert.That(error.Where, Is.EqualTo(where), error.Message);
    }

    [TestCase("model.type", "\"Quantum\"", "Quantum")]
    [TestCase("model.dropout", "0.1", "dropout")]
    [TestCase("normalizer", """{"type": "Rot13"}""", "Rot13")]
    [TestCase("pre_tokenizer", """{"type": "UnicodeScripts"}""", "UnicodeScripts")]
    [TestCase("post_processor", """{"type": "Wrap"}""", "Wrap")]
    [TestCase("decoder", """{"type": "CTC"}""", "CTC")]
    [TestCase("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "(?<=a)b"}, "behavior": "Isolated"}""", "(?<=a)b")]
    [TestCase("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "(a*)*"}, "behavior": "Isolated"}""", "(a*)*")]
    [TestCase("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "[a"}, "behavior": "Isolated"}""", "[a")]
    [TestCase("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "a{9999}"}, "behavior": "Isolated"}""", "a{9999}")]
    [TestCase("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "\\p{Klingon}"}, "behavior": "Isolated"}""", "Klingon")]
    public void What_is_sound_but_not_known_is_refused_by_name(string field, string value, string name)
    {
        string json = With(field, value);
        var error = Assert.Throws<UnsupportedException>(() => Tokenizer.FromJson(Encoding.UTF8.GetBytes(json), "strange.json"))!;
        Assert.That(error.Message, Does.Contain(name));
    }

    [Test]
    public void Groups_nested_without_end_and_repetitions_of_repetitions_are_refused()
    {
        foreach (string pattern in (string[])[new string('(', 10_000), string.Concat(Enumerable.Repeat("(?:a", 60)) + string.Concat(Enumerable.Repeat("){900}", 60))])
            Assert.Throws<UnsupportedException>(() => _ = new TokenRegex(pattern));
    }

    [Test]
    public void A_pattern_that_backtracks_without_end_is_a_typed_error_and_no_hang()
    {
        Tokenizer subject = TinyTokenizer.Load(JsonNode.Parse(With(
            "pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "(?:a+)+b"}, "behavior": "Isolated"}"""))!);
        Assert.Throws<UnsupportedException>(() => subject.Encode(new string('a', 200)));
    }

    [Test]
    public void A_normalizer_that_makes_gigabytes_of_a_line_is_a_typed_error()
    {
        string doubling = string.Join(',', Enumerable.Repeat("""{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}""", 60));
        string huge = $$"""{"type": "Replace", "pattern": {"String": "a"}, "content": "{{new string('a', 100_000)}}"}""";
        string regex = $$"""{"type": "Replace", "pattern": {"Regex": "a"}, "content": "{{new string('a', 100_000)}}"}""";
        foreach (string normalizer in (string[])[$$"""{"type": "Sequence", "normalizers": [{{doubling}}]}""", huge, regex])
        {
            Tokenizer subject = TinyTokenizer.Load(JsonNode.Parse(With("normalizer", normalizer))!);
            Assert.Throws<UnsupportedException>(() => subject.Encode(new string('a', 100_000)));
        }
    }

    [Test]
    public void A_decoder_or_a_chain_of_byte_levels_that_makes_much_of_little_is_refused()
    {
        string doubling = string.Join(',', Enumerable.Repeat("""{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}""", 60));
        string bytes = string.Join(',', Enumerable.Repeat("""{"type": "ByteLevel"}""", 60));
        Assert.Throws<UnsupportedException>(() => Load("decoder", $$"""{"type": "Sequence", "decoders": [{{doubling}}]}"""));
        Assert.Throws<UnsupportedException>(() => Load("pre_tokenizer", $$"""{"type": "Sequence", "pretokenizers": [{{bytes}}]}"""));
    }

    private static Tokenizer Load(string field, string value) => TinyTokenizer.Load(JsonNode.Parse(With(field, value))!);

    [Test]
    public void A_GGUF_vocabulary_whose_lists_contradict_one_another_is_a_typed_error_that_names_the_key()
    {
        var sound = new GgufVocabulary { Model = "llama", Tokens = ["<unk>", "a", "b", "ab"], Scores = [0, -1, -2, -3] };
        Assert.That(Tokenizer.FromGguf(sound with { AddSpacePrefix = false }, "x.gguf").Encode("abab"), Is.EqualTo((int[])[3, 3]));
        Assert.Multiple(() =>
        {
            AssertKey(sound with { Scores = [0] }, "tokenizer.ggml.scores");
            AssertKey(sound with { Scores = null }, "tokenizer.ggml.scores");
            AssertKey(sound with { TokenTypes = [1] }, "tokenizer.ggml.token_type");
            AssertKey(sound with { Tokens = [], Scores = null }, "tokenizer.ggml.tokens");
            AssertKey(sound with { BosId = 9 }, "tokenizer.ggml.bos_token_id");
            AssertKey(sound with { UnknownId = -1 }, "tokenizer.ggml.unknown_token_id");
            AssertKey(sound with { Model = "gpt2" }, "tokenizer.ggml.merges");
            AssertKey(sound with { Model = "gpt2", Merges = ["ab"] }, "tokenizer.ggml.merges");
            AssertKey(sound with { Model = "gpt2", Merges = ["a zz"] }, "tokenizer.ggml.merges");
            Assert.Throws<UnsupportedException>(() => Tokenizer.FromGguf(sound with { Model = "rwkv" }, "x.gguf"));
            Assert.Throws<UnsupportedException>(() => Tokenizer.FromGguf(sound with { Model = "gpt2", Pre = "martian" }, "x.gguf"));
        });
    }

    private static void AssertKey(GgufVocabulary vocabulary, string key) => Assert.That(
        Assert.Throws<InvalidModelException>(() => Tokenizer.FromGguf(vocabulary, "x.gguf"))!.Where, Is.EqualTo(key));

    // The value goes in as text: some of these are what no JSON library writes.
    private static string With(string field, string value)
    {
        JsonObject json = TinyTokenizer.Json();
        string[] parts = field.Split('.');
        JsonObject parent = parts.Length == 1 ? json : json[parts[0]]!.AsObject();
        parent[parts[^1]] = "@@@";
        return json.ToJsonString().Replace("\"@@@\"", value, StringComparison.Ordinal);
    }
}
