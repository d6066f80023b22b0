using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Portable.Decoding.Tokenization;
using Portable.Training.World;

namespace Portable.Training;

/// <summary>
/// The model's vocabulary: byte-level BPE as in Qwen's tokenizers, whose merges are those of the words that the world's questions use, so that a
/// question is few tokens and what is read from an image (digits, words) is spelled. Ids are frozen once a model is trained: add words only at the end.
/// </summary>
internal static class Vocabulary
{
    public const string EndOfText = "<|endoftext|>", TurnStart = "<|im_start|>", TurnEnd = "<|im_end|>", VisionStart = "<|vision_start|>",
        VisionEnd = "<|vision_end|>", ImagePad = "<|image_pad|>", VideoPad = "<|video_pad|>";

    private static readonly string[] s_specials = [EndOfText, TurnStart, TurnEnd, VisionStart, VisionEnd, ImagePad, VideoPad];

    private static readonly string[] s_words =
    [
        "user", "assistant", "system", "What", "Which", "Where", "How", "Is", "is", "the", "of", "there", "are", "many", "much", "color", "shape", "shapes",
        "does", "it", "cost", "meter", "read", "number", "shown", "sign", "say", "word", "date", "day", "printed", "price", "bar", "highest", "lowest", "value",
        "total", "items", "name", "city", "seat", "age", "bigger", "than", "biggest", "smallest", "or", "a", "an", "above", "below", "left", "right",
        "top", "bottom", "center", "yes", "no",
        .. Palette.Shapes.Select(s => s.English), .. Palette.Shapes.Select(s => s.English == "cross" ? "crosses" : s.English + "s"),
        .. Palette.Colours.Select(c => c.English), .. Palette.Items, .. Palette.Months,
    ];

    private static readonly string[] s_chinese =
    [
        .. Palette.Shapes.Select(s => s.Chinese), .. Palette.Colours.Select(c => c.Chinese), "是什么颜色", "的是什么形状", "一共", "有几个", "的图形", "图形", "没有", "不是",
        "在哪里", "左边", "右边", "上面", "下面", "中间", "左上角", "右上角", "左下角", "右下角", "最大", "最小", "哪个大", "读数是多少", "显示的数字是多少", "日期是哪天", "印的是哪一天",
        "价格是多少", "要付多少钱", "牌子上写的是什么", "显示的是哪个词", "哪一项最高", "哪一项最低", "的值是多少", "合计是多少", "多少钱", "姓名是什么", "城市是哪里", "编号是多少",
        "座位是哪个", "年龄是多少", "有几样东西", "的", "在", "有", "吗", "是", "比", "大", "和",
    ];

    /// <summary>The tokenizer.json.</summary>
    public static string TokenizerJson()
    {
        (List<string> tokens, List<(string, string)> merges) = Build();
        var vocabulary = new JsonObject();
        for (int id = 0; id < tokens.Count; id++)
            vocabulary[tokens[id]] = id;
        var added = new JsonArray();
        foreach (string special in s_specials)
        {
            added.Add(new JsonObject
            {
                ["id"] = tokens.Count + added.Count, ["content"] = special, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true,
            });
        }

        var byteLevel = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = false, ["use_regex"] = false };
        var json = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = added,
            ["normalizer"] = new JsonObject { ["type"] = "NFC" },
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "Split",
                        // Qwen2's splitter: letters with one leading character, single digits, punctuation, line ends, spaces.
                        ["pattern"] = new JsonObject
                        {
                            ["Regex"] = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
                        },
                        ["behavior"] = "Isolated",
                        ["invert"] = false,
                    },
                    byteLevel),
            },
            ["post_processor"] = byteLevel.DeepClone(),
            ["decoder"] = byteLevel.DeepClone(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = null, ["continuing_subword_prefix"] = "", ["end_of_word_suffix"] = "", ["fuse_unk"] = false,
                ["byte_fallback"] = false, ["ignore_merges"] = false, ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)new JsonArray(m.Item1, m.Item2))]),
            },
        };
        return Write(json);
    }

    /// <summary>The tokenizer that the model is trained with: Portable's own, over <see cref="TokenizerJson"/>.</summary>
    public static Tokenizer Tokenizer() => Decoding.Tokenization.Tokenizer.FromJson(Encoding.UTF8.GetBytes(TokenizerJson()), "tokenizer.json");

    /// <summary>Writes every file of the checkpoint that is not trained: tokenizer, templates, preprocessor, generation defaults.</summary>
    public static void WriteFiles(string folder)
    {
        Directory.CreateDirectory(folder);
        void Put(string name, string text) => File.WriteAllText(Path.Combine(folder, name), text + "\n");
        Tokenizer tokenizer = Tokenizer();
        int Id(string token) => tokenizer.TryGetId(token, out int id) ? id : throw new InvalidOperationException($"{token} is not in the vocabulary");
        Put("tokenizer.json", TokenizerJson());
        Put("tokenizer_config.json", Write(new JsonObject
        {
            ["tokenizer_class"] = "Qwen2Tokenizer", ["add_prefix_space"] = false, ["add_bos_token"] = false, ["bos_token"] = null, ["eos_token"] = TurnEnd, ["pad_token"] = EndOfText,
            ["unk_token"] = null, ["clean_up_tokenization_spaces"] = false, ["model_max_length"] = 1024, ["processor_class"] = "Qwen3VLProcessor",
        }));
        Put("chat_template.jinja", ChatTemplate);
        Put("generation_config.json", Write(new JsonObject
        {
            ["do_sample"] = false, ["eos_token_id"] = new JsonArray(Id(TurnEnd), Id(EndOfText)), ["pad_token_id"] = Id(EndOfText),
        }));
        // At most 64 merged patches: about the size of the pictures it was trained on.
        Put("preprocessor_config.json", Write(new JsonObject
        {
            ["size"] = new JsonObject { ["longest_edge"] = 50176, ["shortest_edge"] = 6272 }, ["patch_size"] = 14, ["temporal_patch_size"] = 2, ["merge_size"] = 2,
            ["image_mean"] = new JsonArray(0.5, 0.5, 0.5), ["image_std"] = new JsonArray(0.5, 0.5, 0.5), ["processor_class"] = "Qwen3VLProcessor", ["image_processor_type"] = "Qwen2VLImageProcessorFast",
        }));
    }

    public const string ChatTemplate =
        "{%- for message in messages -%}{{- '<|im_start|>' + message.role + '\\n' -}}{%- if message.content is string -%}{{- message.content -}}{%- else -%}" +
        "{%- for part in message.content -%}{%- if part.type == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}" +
        "{%- elif part.type == 'text' -%}{{- part.text -}}{%- endif -%}{%- endfor -%}{%- endif -%}{{- '<|im_end|>\\n' -}}{%- endfor -%}" +
        "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";

    private static (List<string> Tokens, List<(string, string)> Merges) Build()
    {
        // GPT-2's alphabet: printable bytes stand for themselves, the others for characters from 256 on.
        var alphabet = new string[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
            alphabet[b] = ((char)(b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF ? b : next++)).ToString();
        List<string> tokens = [.. alphabet];
        var known = new HashSet<string>(tokens);
        var merges = new List<(string, string)>();
        void Merge(string left, string right)
        {
            if (known.Add(left + right))
            {
                tokens.Add(left + right);
                merges.Add((left, right));
            }
        }

        string Chain(IEnumerable<string> parts)
        {
            string whole = "";
            foreach (string part in parts)
            {
                if (whole.Length > 0)
                    Merge(whole, part);
                whole += part;
            }

            return whole;
        }

        IEnumerable<string> Bytes(string text) => Encoding.UTF8.GetBytes(text).Select(b => alphabet[b]);

        foreach (char c in s_chinese.SelectMany(w => w).Distinct())
            Chain(Bytes(c.ToString()));
        foreach (string word in s_chinese)
            Chain(word.Select(c => string.Concat(Bytes(c.ToString()))));
        foreach (string word in s_words)
            Chain(Bytes(word));
        foreach (string word in s_words)
            Merge(alphabet[' '], string.Concat(Bytes(word)));
        return (tokens, merges);
    }

    private static string Write(JsonNode json) => json.ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
