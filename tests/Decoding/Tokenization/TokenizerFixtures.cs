using System.Text.Json;
using Portable.Decoding.Tokenization;

namespace Portable.Tests.Decoding.Tokenization;

/// <summary>Finds the golden tokenizers: their folder, rows and corpus.</summary>
internal static class TokenizerFixtures
{
    private static readonly Dictionary<string, Tokenizer> Loaded = [];
    private static readonly Lazy<string[]> LazyCorpus = new(ReadCorpus);

    public static string? Folder => Fixtures.Find("tokenizers", "index.json") is { } index ? Path.GetDirectoryName(index) : null;

    /// <summary>The texts by their number.</summary>
    public static string[] Corpus => LazyCorpus.Value;

    /// <summary>One case for each entry of the index, with its name.</summary>
    public static IEnumerable<TestCaseData> Cases(string what)
    {
        if (Folder is not { } folder)
            return [Fixtures.Absent("tokenizers")];
        using JsonDocument index = Fixtures.Json(Path.Combine(folder, "index.json"));
        return [.. index.RootElement.EnumerateArray().Select(header => new TestCaseData(
            header.GetProperty("name").GetString()!, header.GetProperty("tokenizer").GetString()!)
            .SetName($"{what} {header.GetProperty("name").GetString()}"))];
    }

    /// <summary>Loads a tokenizer; one that uses what is not supported is skipped by name.</summary>
    public static Tokenizer Load(string tokenizer)
    {
        lock (Loaded)
        {
            if (Loaded.TryGetValue(tokenizer, out Tokenizer? loaded))
                return loaded;
            string path = Path.Combine(Folder!, tokenizer, "tokenizer.json");
            try
            {
                return Loaded[tokenizer] = Tokenizer.FromJson(Fixtures.Bytes(path), path);
            }
            catch (UnsupportedException e)
            {
                Assert.Ignore($"not supported yet: {tokenizer}: {e.Message}");
                throw;
            }
        }
    }

    /// <summary>The header and the rows of a golden, with the fields that are left out filled in.</summary>
    public static (JsonElement Header, List<Row> Rows) Golden(string name)
    {
        string[] lines = System.Text.Encoding.UTF8.GetString(Fixtures.Bytes(Path.Combine(Folder!, "goldens", name + ".jsonl")))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        JsonElement header = JsonDocument.Parse(lines[0]).RootElement.Clone();
        int[] prefix = Ints(header.GetProperty("prefix"));
        int[] suffix = Ints(header.GetProperty("suffix"));
        string before = header.GetProperty("prefix_text").GetString()!;
        string after = header.GetProperty("suffix_text").GetString()!;
        var rows = new List<Row>();
        foreach (string line in lines.Skip(1))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            int number = row.TryGetProperty("i", out JsonElement i) ? i.GetInt32() : -1;
            string text = number >= 0 ? Corpus[number] : row.GetProperty("t").GetString()!;
            int[] ids = Ints(row.GetProperty("ids"));
            string decoded = row.TryGetProperty("dec", out JsonElement dec) ? dec.GetString()! : text;
            string skipped = row.TryGetProperty("skip", out JsonElement skip) ? skip.GetString()! : decoded;
            rows.Add(new Row(
                number,
                text,
                ids,
                row.TryGetProperty("wrapped", out JsonElement wrapped) ? Ints(wrapped) : [.. prefix, .. ids, .. suffix],
                row.TryGetProperty("plain", out JsonElement plain) ? Ints(plain) : ids,
                decoded,
                skipped,
                row.TryGetProperty("wdec", out JsonElement wdec) ? wdec.GetString()! : before + decoded + after,
                row.TryGetProperty("wskip", out JsonElement wskip) ? wskip.GetString()! : skipped));
        }

        return (header, rows);
    }

    public static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetInt32())];

    /// <summary>Fails with the first few differences, spelt out.</summary>
    public static void AssertNone(List<string> differences, int of) => Assert.That(
        differences, Is.Empty, () => $"{differences.Count} of {of} differ:\n" + string.Join('\n', differences.Take(8)));

    public static string Show(string text) => JsonSerializer.Serialize(text);

    public static string Show(int[] ids) => string.Join(',', ids);

    private static string[] ReadCorpus()
    {
        using JsonDocument corpus = Fixtures.Json(Path.Combine(Folder!, "corpus.json"));
        var texts = new SortedDictionary<int, string>();
        foreach (JsonElement entry in corpus.RootElement.EnumerateArray())
            texts[entry.GetProperty("i").GetInt32()] = entry.GetProperty("text").GetString()!;
        return [.. texts.Values];
    }

    internal sealed record Row(
        int Number, string Text, int[] Ids, int[] Wrapped, int[] Plain, string Decoded, string Skipped, string WrappedDecoded, string WrappedSkipped);
}
