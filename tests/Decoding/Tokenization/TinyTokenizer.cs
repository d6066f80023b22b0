using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Portable.Decoding.Tokenization;

namespace Portable.Tests.Decoding.Tokenization;

/// <summary>Small tokenizers made in code: byte-level, every byte a token, a few merges, chat-like special tokens.</summary>
internal static class TinyTokenizer
{
    public const string Start = "<|im_start|>";
    public const string End = "<|im_end|>";

    public static JsonObject Json(params (string Content, bool Special)[] added)
    {
        var vocabulary = new JsonObject();
        for (int b = 0; b < 256; b++)
            vocabulary[((char)Alphabet(b)).ToString()] = b;
        vocabulary["aa"] = 256;
        vocabulary["aaaa"] = 257;
        vocabulary["he"] = 258;
        var tokens = new JsonArray();
        int id = 300;
        foreach ((string content, bool special) in added)
            tokens.Add(new JsonObject { ["id"] = id++, ["content"] = content, ["special"] = special });
        return new JsonObject
        {
            ["added_tokens"] = tokens,
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray("a a", "aa aa", "h e"),
            },
        };
    }

    public static Tokenizer Load(JsonNode json) => Tokenizer.FromJson(Encoding.UTF8.GetBytes(json.ToJsonString()), "tiny.json");

    public static Tokenizer Chat() => Load(Json((Start, true), (End, true), ("<a>", true), ("<a><b>", true), ("<b>", true), ("<tool>", false)));

    public static JsonNode Parse(string json) => JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { MaxDepth = 2000 })!;

    private static int Alphabet(int b)
    {
        int next = 256;
        for (int i = 0; i < b; i++)
            next += i is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174 ? 0 : 1;
        return b is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174 ? b : next;
    }
}
