using Portable.Checkpoints;

namespace Portable.Benchmarks.Models;

/// <summary>A GGUF file of Qwen2.5's shape with random weights: as fast as the real model, and without its words.</summary>
internal sealed record QwenModel(string Name, int Hidden, int Layers, int Heads, int KeyValueHeads, int FeedForward)
{
    public const int Vocabulary = 151936;

    private const int Control = 3, Unused = 5, Normal = 1;

    public static QwenModel[] All { get; } =
    [
        new("qwen2.5-0.5b", 896, 24, 14, 2, 4864),
        new("qwen2.5-1.5b", 1536, 28, 12, 2, 8960),
    ];

    public void Write(string type, string path)
    {
        var writer = new GgufWriter();
        writer.Add("general.architecture", "qwen2");
        writer.Add("general.name", $"{Name} shape, random weights");
        writer.Add("general.file_type", type == "q4_0" ? 2u : 15u);
        writer.Add("general.quantization_version", 2u);
        writer.Add("qwen2.block_count", (uint)Layers);
        writer.Add("qwen2.context_length", 32768u);
        writer.Add("qwen2.embedding_length", (uint)Hidden);
        writer.Add("qwen2.feed_forward_length", (uint)FeedForward);
        writer.Add("qwen2.attention.head_count", (uint)Heads);
        writer.Add("qwen2.attention.head_count_kv", (uint)KeyValueHeads);
        writer.Add("qwen2.rope.freq_base", 1e6f);
        writer.Add("qwen2.attention.layer_norm_rms_epsilon", 1e-6f);
        AddTokenizer(writer);

        bool mixed = type == "q4_k_m";
        string four = mixed ? "Q4_K" : "Q4_0";
        int keyValue = Hidden / Heads * KeyValueHeads;
        ulong seed = 1;
        // The embedding is the output matrix too.
        Matrix("token_embd.weight", Vocabulary, Hidden, "Q6_K");
        Floats("output_norm.weight", Hidden, 1, 0.1f);
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"blk.{i}.", more = mixed && HasMoreBits(i) ? "Q6_K" : four;
            Floats(layer + "attn_norm.weight", Hidden, 1, 0.1f);
            Matrix(layer + "attn_q.weight", Hidden, Hidden, four);
            Floats(layer + "attn_q.bias", Hidden, 0, 0.1f);
            Matrix(layer + "attn_k.weight", keyValue, Hidden, four);
            Floats(layer + "attn_k.bias", keyValue, 0, 0.1f);
            Matrix(layer + "attn_v.weight", keyValue, Hidden, more);
            Floats(layer + "attn_v.bias", keyValue, 0, 0.1f);
            Matrix(layer + "attn_output.weight", Hidden, Hidden, four);
            Floats(layer + "ffn_norm.weight", Hidden, 1, 0.1f);
            Matrix(layer + "ffn_gate.weight", FeedForward, Hidden, four);
            Matrix(layer + "ffn_up.weight", FeedForward, Hidden, four);
            Matrix(layer + "ffn_down.weight", Hidden, FeedForward, more);
        }

        writer.Write(path);

        void Matrix(string name, int rows, int columns, string wanted)
        {
            GgufTensorType stored = GgufTensorType.Find(Fitting(wanted, columns))!;
            ulong own = seed++;
            writer.AddTensor(name, [rows, columns], stored.Name, stream => new RandomWeights(own).WriteBlocks(
                stream, stored.Name, stored.BlockBytes, (long)rows * columns / stored.BlockValues, 0.7f / MathF.Sqrt(columns)));
        }

        void Floats(string name, int count, float about, float spread)
        {
            ulong own = seed++;
            writer.AddTensor(name, [count], "F32", stream => new RandomWeights(own).WriteFloats(stream, count, about, spread));
        }
    }

    // Which layers llama.cpp's Q4_K_M gives more bits: the first and last eighth, and every third of those between.
    private bool HasMoreBits(int layer) => layer < Layers / 8 || layer >= 7 * Layers / 8 || (layer - (Layers / 8)) % 3 == 2;

    // What llama.cpp takes for rows that are no whole number of blocks of 256: in the 0.5B shape all but those of ffn_down.
    private static string Fitting(string type, int columns) => columns % 256 == 0 ? type : type switch
    {
        "Q4_K" => "Q5_0",
        "Q6_K" => "Q8_0",
        _ => type,
    };

    // A vocabulary as large as the real one: the letters that stand for bytes, their pairs with merges, words without a
    // meaning, and at the end, as in the real files, the special tokens and what fills the matrix up.
    private static void AddTokenizer(GgufWriter writer)
    {
        string[] letters = [.. ByteLetters()];
        var merges = new List<string>();
        var tokens = new List<string>(letters);
        for (char a = 'a'; a <= 'z'; a++)
        {
            for (char b = 'a'; b <= 'z'; b++)
            {
                merges.Add($"{a} {b}");
                tokens.Add($"{a}{b}");
            }
        }

        string[] specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
        const int Words = 151643;
        for (int i = 0; tokens.Count < Words; i++)
            tokens.Add($"{(char)('a' + (i % 26))}{(char)('a' + (i / 26 % 26))}{(char)('a' + (i / 676 % 26))}{(char)('a' + (i / 17576))}");
        tokens.AddRange(specials);
        for (int i = tokens.Count; i < Vocabulary; i++)
            tokens.Add($"[PAD{i}]");

        writer.Add("tokenizer.ggml.model", "gpt2");
        writer.Add("tokenizer.ggml.pre", "qwen2");
        writer.Add("tokenizer.ggml.tokens", [.. tokens]);
        writer.Add("tokenizer.ggml.token_type", [.. Enumerable.Range(0, Vocabulary).Select(i => i < Words ? Normal : i < Words + specials.Length ? Control : Unused)]);
        writer.Add("tokenizer.ggml.merges", [.. merges]);
        writer.Add("tokenizer.ggml.bos_token_id", (uint)Words);
        writer.Add("tokenizer.ggml.padding_token_id", (uint)Words);
        writer.Add("tokenizer.ggml.eos_token_id", (uint)Words + 2);
        writer.Add("tokenizer.ggml.add_bos_token", false);
    }

    // GPT-2's letters for bytes: printable ones stand for themselves, the others follow from U+0100 on.
    private static IEnumerable<string> ByteLetters()
    {
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            yield return ((char)(printable ? value : next++)).ToString();
        }
    }
}
