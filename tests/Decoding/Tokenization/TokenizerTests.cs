using System.Diagnostics;
using System.Text;
using Portable.Decoding.Tokenization;

namespace Portable.Tests.Decoding.Tokenization;

internal sealed class TokenizerTests
{
    private static readonly Tokenizer Subject = TinyTokenizer.Chat();

    [Test]
    public void Lone_surrogates_count_as_the_replacement_character()
    {
        foreach (string text in (string[])["\uD83D", "a\uDC4Db", "\uDC4D\uD83D", "x\uD83D\uD83D\uDC4D"])
        {
            string repaired = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            Assert.That(Subject.Decode(Subject.Encode(text)), Is.EqualTo(repaired));
        }
    }

    [Test]
    public void Every_token_of_a_vocabulary_has_its_bytes_and_ids_that_name_no_token_have_none_and_show_nothing()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Enumerable.Range(0, 256).Select(b => Subject.TokenBytes(b)), Is.EqualTo(Enumerable.Range(0, 256).Select(b => (byte[])[(byte)b])));
            Assert.That(Subject.TokenBytes(257), Is.EqualTo("aaaa"u8.ToArray()));
            Assert.That(Subject.TokenBytes(300), Is.EqualTo("<|im_start|>"u8.ToArray()));
            foreach (int id in (int[])[-1, 259, 290, 100_000, int.MinValue, int.MaxValue])
            {
                Assert.That(Subject.TokenText(id), Is.Null);
                Assert.That(Subject.TokenBytes(id), Is.Empty);
                Assert.That(Subject.IsSpecial(id), Is.False);
                Assert.That(Subject.Decode([id, 'a', id]), Is.EqualTo(Subject.Decode(['a'])));
            }
        });
    }

    [Test]
    public void One_piece_of_a_megabyte_is_merged_in_time_that_grows_little_faster_than_its_length()
    {
        var watch = Stopwatch.StartNew();
        int[] ids = Subject.Encode(new string('a', 1 << 20));
        Assert.That(ids, Has.Length.EqualTo(1 << 18).And.All.EqualTo(257));
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(20)), "a quadratic merge needs hours");
    }

    [Test]
    public void Long_rows_of_one_kind_of_character_are_split_in_linear_time()
    {
        var watch = Stopwatch.StartNew();
        foreach (string unit in (string[])[" ", "\n", "\t ", "A", "1", "漢", "!", "\u0301", "𝒳", "<", "<|im_start|"])
        {
            string text = string.Concat(Enumerable.Repeat(unit, 300_000 / unit.Length));
            Assert.That(Subject.Decode(Subject.Encode(text)), Is.EqualTo(text), TokenizerFixtures.Show(unit));
        }

        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(30)));
    }

    [Test]
    public void Many_threads_get_the_same_ids_from_one_tokenizer()
    {
        string[] texts = [.. Enumerable.Range(0, 200).Select(i => string.Concat(Enumerable.Repeat($"word{i * 7919} he aaaa {i} ", 5)))];
        int[][] expected = [.. texts.Select(t => TinyTokenizer.Chat().Encode(t))];
        Parallel.For(0, 2000, i => Assert.That(Subject.Encode(texts[i % 200]), Is.EqualTo(expected[i % 200])));
    }

    [Test]
    public void A_stream_allocates_nothing_for_a_token_once_the_text_has_room()
    {
        TokenStream stream = Subject.CreateStream();
        var text = new StringBuilder(1 << 16);
        int[] ids = Subject.Encode("he said: aaaa é 漢 𝒳\n");
        for (int round = 0; round < 3; round++)
        {
            foreach (int id in ids)
                stream.Append(id, text);
        }

        text.Clear();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 100; round++)
        {
            foreach (int id in ids)
                stream.Append(id, text);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(text.ToString(), Does.StartWith("he said: aaaa é 漢 𝒳\nhe said"));
    }

    [Test]
    public void Prefix_and_suffix_are_added_only_when_asked_for()
    {
        var json = TinyTokenizer.Json((TinyTokenizer.Start, true), (TinyTokenizer.End, true));
        json["post_processor"] = TinyTokenizer.Parse("""{"type": "BertProcessing", "cls": ["<|im_start|>", 300], "sep": ["<|im_end|>", 301]}""");
        Tokenizer subject = TinyTokenizer.Load(json);
        Assert.Multiple(() =>
        {
            Assert.That(subject.Encode("he"), Is.EqualTo((int[])[258]));
            Assert.That(subject.Encode("he", addSpecialTokens: true), Is.EqualTo((int[])[300, 258, 301]));
            Assert.That(subject.Prefix, Is.EqualTo((int[])[300]));
            Assert.That(subject.Suffix, Is.EqualTo((int[])[301]));
        });
    }

    [Test]
    public void A_GGUF_vocabulary_of_GLM_4_begins_texts_with_both_of_its_marks_though_the_file_names_one()
    {
        var vocabulary = new GgufVocabulary
        {
            Model = "gpt2", Pre = "glm4", Tokens = ["a", "[gMASK]", "<sop>"], TokenTypes = [1, 3, 3], Merges = [], BosId = 1, AddBos = true,
        };
        Assert.That(Tokenizer.FromGguf(vocabulary, "glm.gguf").Encode("a", addSpecialTokens: true), Is.EqualTo((int[])[1, 2, 0]));
    }
}
