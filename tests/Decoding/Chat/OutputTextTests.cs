using System.Text;
using Portable.Decoding.Chat;
using Portable.Decoding.Tokenization;

namespace Portable.Tests.Chat;

/// <summary>What is shown of an output never depends on how its text was cut into tokens.</summary>
[TestFixture]
public sealed class OutputTextTests
{
    private static readonly Tokenizer Tokenizer = Load();

    private static Tokenizer Load()
    {
        using var tiny = new TinyModel();
        return Tokenizer.FromJson(Encoding.UTF8.GetBytes(tiny.Tokenizer.ToJsonString()), "tiny");
    }

    /// <summary>Feeds bytes one token at a time, or the tokenizer's own tokens.</summary>
    private static (string Thought, string Answer, bool IsStopped, string[] Pieces) Show(string text, string[] stops, bool startsThinking = false, bool byBytes = true)
    {
        int[] tokens = byBytes ? [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)] : Tokenizer.Encode(text, false, SpecialTokens.Parse);
        var output = new OutputText(Tokenizer.CreateStream(skipSpecialTokens: true), stops, startsThinking);
        StringBuilder thought = new(), answer = new();
        var pieces = new List<string>();
        void Receive(bool isThinking, string piece)
        {
            Assert.That(piece, Is.Not.Empty);
            (isThinking ? thought : answer).Append(piece);
            pieces.Add(piece);
        }

        foreach (int token in tokens)
            output.Append(token, Receive);
        output.Flush(Receive);
        return (thought.ToString(), answer.ToString(), output.IsStopped, [.. pieces]);
    }

    private static (string Thought, string Answer) Parts((string Thought, string Answer, bool, string[]) shown) => (shown.Thought, shown.Answer);

    [TestCase("Hello world. More", "world", "Hello ")]
    [TestCase("abcabd!", "abd", "abc")]
    [TestCase("aaaab", "aab", "aa")]
    [TestCase("STOP", "STOP", "")]
    [TestCase("one\ntwo\n\nthree", "\n\n", "one\ntwo")]
    [TestCase("größe Ende", "Ende", "größe ")]
    [TestCase("x🙂y", "🙂", "x")]
    public void A_stop_string_ends_the_text_and_none_of_it_is_shown(string text, string stop, string expected)
    {
        foreach (bool byBytes in (bool[])[true, false])
        {
            (_, string answer, bool isStopped, string[] pieces) = Show(text, [stop], byBytes: byBytes);
            Assert.That(answer, Is.EqualTo(expected));
            Assert.That(isStopped);
            Assert.That(pieces.All(p => !p.EndsWith(stop[0]) || expected.Contains(stop[0], StringComparison.Ordinal)), "no prefix of the stop string was let out");
        }
    }

    [Test]
    public void What_only_began_like_a_stop_string_is_shown_in_the_end()
    {
        (_, string answer, bool isStopped, _) = Show("Hello wor", ["world", "lox"]);
        Assert.That((answer, isStopped), Is.EqualTo(("Hello wor", false)));
    }

    [Test]
    public void Of_several_stop_strings_the_earliest_in_the_text_counts()
    {
        Assert.That(Show("one two three", ["three", "two"]).Answer, Is.EqualTo("one "));
        Assert.That(Show("abcd", ["bcd", "c"]).Answer, Does.StartWith("a").And.Not.Contain("c"));
    }

    [Test]
    public void Every_cut_of_a_random_text_shows_the_same()
    {
        var random = new Random(5);
        for (int i = 0; i < 300; i++)
        {
            string text = string.Concat(Enumerable.Range(0, 30).Select(_ => "ab<>/\nthink"[random.Next(11)]));
            if (random.Next(2) == 0)
                text = "<think>" + text;
            text = text.Insert(random.Next(text.Length), "</think>");
            string stop = text.Substring(random.Next(text.Length - 3), 3);
            string[] stops = random.Next(2) == 0 ? [stop] : [];
            (string thought, string answer, bool isStopped, _) = Show(text, stops);
            (string wholeThought, string wholeAnswer, bool wholeStopped, _) = Show(text, stops, byBytes: false);
            Assert.That((thought, answer, isStopped), Is.EqualTo((wholeThought, wholeAnswer, wholeStopped)), text);
            foreach (string s in stops)
                Assert.That(thought + "\0" + answer, Does.Not.Contain(s));
        }
    }

    [TestCase("<think>why</think>because", "why", "because")]
    [TestCase("<think>\nwhy\n</think>\n\nbecause", "why", "because")]
    [TestCase("\n<think>\n\n</think>\n\nbecause", "", "because")]
    [TestCase("<think>never ends", "never ends", "")]
    [TestCase("<thin ice", "", "<thin ice")]
    [TestCase("no <think>tag</think> at the start", "", "no <think>tag</think> at the start")]
    [TestCase("<think>a < b </thinking</think>yes", "a < b </thinking", "yes")]
    [TestCase("  plain", "", "  plain")]
    public void Thinking_is_separated_from_the_answer_however_its_tags_are_cut(string text, string thought, string answer)
    {
        foreach (bool byBytes in (bool[])[true, false])
            Assert.That(Parts(Show(text, [], byBytes: byBytes)), Is.EqualTo((thought, answer)), byBytes ? "byte by byte" : "by tokens");
    }

    [Test]
    public void A_prompt_that_opens_the_thinking_begins_inside_it()
    {
        Assert.That(Parts(Show("\nwhy\n</think>\n\nbecause", [], startsThinking: true)), Is.EqualTo(("why", "because")));
        Assert.That(Parts(Show("why", [], startsThinking: true)), Is.EqualTo(("why", "")));
    }

    [Test]
    public void A_stop_string_counts_inside_the_thinking_too()
    {
        (string thought, string answer, bool isStopped, _) = Show("<think>one two</think>three", ["two"]);
        Assert.That((thought, answer, isStopped), Is.EqualTo(("one ", "", true)));
    }

    [Test]
    public void A_character_of_several_tokens_is_shown_whole()
    {
        string[] pieces = Show("ä🙂é", []).Pieces;
        Assert.That(pieces, Is.EqualTo(new[] { "ä", "🙂", "é" }));
    }

    [Test]
    public void Special_tokens_are_not_shown()
    {
        Assert.That(Show("a<|im_end|>b", [], byBytes: false).Answer, Is.EqualTo("ab"));
    }
}
