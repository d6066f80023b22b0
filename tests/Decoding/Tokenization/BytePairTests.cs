using System.Text;
using System.Text.Json.Nodes;
using Portable.Decoding.Tokenization;

namespace Portable.Tests.Decoding.Tokenization;

internal sealed class BytePairTests
{
    private const string Mark = "\u2581";

    [Test]
    public void Merges_give_what_the_plain_rule_gives_best_rank_first_and_leftmost_of_equals()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var random = new Random(seed);
            var tokens = new List<string> { "<unk>", Mark, "a", "b", "c" };
            var merges = new List<(string Left, string Right)>();
            for (int i = 0; i < 12; i++)
            {
                string left = tokens[random.Next(1, tokens.Count)], right = tokens[random.Next(1, tokens.Count)];
                if (merges.Contains((left, right)))
                    continue;
                merges.Add((left, right));
                if (!tokens.Contains(left + right))
                    tokens.Add(left + right);
            }

            var vocabulary = new JsonObject();
            foreach (string token in tokens)
                vocabulary[token] = vocabulary.Count;
            Tokenizer subject = Tokenizer.FromJson(
                Encoding.UTF8.GetBytes(new JsonObject
                {
                    ["model"] = new JsonObject
                    {
                        ["type"] = "BPE",
                        ["unk_token"] = "<unk>",
                        ["vocab"] = vocabulary,
                        ["merges"] = new JsonArray([.. merges.Select(m => new JsonArray(m.Left, m.Right))]),
                    },
                }.ToJsonString()),
                "random.json");
            for (int round = 0; round < 50; round++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(120)).Select(_ => "\u2581\u2581abcx"[random.Next(6)]));
                Assert.That(
                    string.Join('|', subject.Encode(text).Select(subject.TokenText)),
                    Is.EqualTo(string.Join('|', Plain(text, tokens, merges))),
                    $"seed {seed} text {text}");
            }
        }
    }

    private static List<string> Plain(string text, List<string> tokens, List<(string, string)> merges)
    {
        List<string> symbols = [.. text.Select(c => tokens.Contains(c.ToString()) ? c.ToString() : "<unk>")];
        while (true)
        {
            int best = -1, place = -1;
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                int rank = merges.IndexOf((symbols[i], symbols[i + 1]));
                if (rank >= 0 && (best < 0 || rank < best))
                    (best, place) = (rank, i);
            }

            if (place < 0)
                return symbols;
            symbols[place] += symbols[place + 1];
            symbols.RemoveAt(place + 1);
        }
    }
}
