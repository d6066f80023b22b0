using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Portable.Checkpoints;

namespace Portable.Benchmarks.Models;

/// <summary>
/// A folder in AutoAWQ's layout (GEMM, groups of 128) of Qwen2.5's shape with random weights, small enough that nothing overflows, and a vocabulary of the
/// real size. The same shape gives the same bytes.
/// </summary>
internal static class AwqFolder
{
    /// <summary>Tokens and merges of a byte-level BPE of 151,643 tokens: each is two that came before it.</summary>
    private static (List<string> Tokens, List<string> Merges) Vocabulary()
    {
        var tokens = new List<string>();
        for (int b = 0, next = 256; b < 256; b++)
            tokens.Add(((char)(b is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174 ? b : next++)).ToString());
        var known = new HashSet<string>(tokens);
        var merges = new List<string>();
        var random = new Random(151_643);
        while (tokens.Count < 151_643)
        {
            string left = tokens[random.Next(Math.Min(tokens.Count, 4000))], right = tokens[random.Next(Math.Min(tokens.Count, 4000))];
            if (left.Length + right.Length > 16 || !known.Add(left + right))
                continue;
            tokens.Add(left + right);
            merges.Add($"{left} {right}");
        }

        return (tokens, merges);
    }

    /// <summary>Writes the folder unless it is there, with a vision tower where one is given.</summary>
    public static void Write(string folder, QwenModel shape, QwenTower? tower = null)
    {
        string marker = Path.Combine(folder, "config.json");
        if (File.Exists(marker))
            return;
        Directory.CreateDirectory(folder);
        const int Group = 128;
        var entries = new List<SafetensorsEntry>();
        int seed = 0;
        Plain("model.embed_tokens.weight", 0.02f, QwenModel.Vocabulary, shape.Hidden);
        Plain("model.norm.weight", 0, shape.Hidden);
        for (int layer = 0; layer < shape.Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            Plain(prefix + "input_layernorm.weight", 0, shape.Hidden);
            Plain(prefix + "post_attention_layernorm.weight", 0, shape.Hidden);
            foreach ((string name, int rows, int columns) in Linears(shape))
            {
                Bytes(prefix + name + ".qweight", "I32", (long)columns * rows / 2, null, columns, rows / 8);
                Bytes(prefix + name + ".qzeros", "I32", (long)columns / Group * rows / 2, null, columns / Group, rows / 8);
                Bytes(prefix + name + ".scales", "F16", (long)columns / Group * rows * 2, (Half)(0.4 / Math.Sqrt(columns) / 4), columns / Group, rows);
                if (name is "self_attn.q_proj" or "self_attn.k_proj" or "self_attn.v_proj")
                    Plain(prefix + name + ".bias", 0.01f, rows);
            }
        }

        foreach ((string name, float deviation, long[] dimensions) in tower?.Tensors() ?? [])
            Plain(name, deviation, dimensions);
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), entries, default);
        WriteTokenizer(folder);
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("Qwen2ForCausalLM"), ["model_type"] = "qwen2", ["vocab_size"] = QwenModel.Vocabulary, ["hidden_size"] = shape.Hidden,
            ["intermediate_size"] = shape.FeedForward, ["num_hidden_layers"] = shape.Layers, ["num_attention_heads"] = shape.Heads, ["num_key_value_heads"] = shape.KeyValueHeads,
            ["rms_norm_eps"] = 1e-6, ["rope_theta"] = 1e6, ["max_position_embeddings"] = 32768, ["hidden_act"] = "silu", ["tie_word_embeddings"] = true, ["eos_token_id"] = 151_645,
            ["quantization_config"] = new JsonObject { ["quant_method"] = "awq", ["bits"] = 4, ["group_size"] = Group, ["zero_point"] = true, ["version"] = "gemm" },
        };
        if (tower is not null)
        {
            tower.AddTo(config);
            File.WriteAllText(Path.Combine(folder, "preprocessor_config.json"), QwenTower.Preprocessor().ToJsonString());
        }

        File.WriteAllText(marker, config.ToJsonString());

        void Plain(string name, float deviation, params long[] dimensions)
        {
            int own = ++seed;
            long elements = dimensions.Aggregate(1L, static (a, b) => a * b);
            entries.Add(new SafetensorsEntry(name, "BF16", dimensions, 2 * elements, stream =>
            {
                var random = new Random(own);
                ushort[] block = new ushort[1 << 16];
                for (long at = 0; at < elements; at += block.Length)
                {
                    int count = (int)Math.Min(block.Length, elements - at);
                    for (int i = 0; i < count; i++)
                        block[i] = (ushort)(BitConverter.SingleToUInt32Bits(deviation == 0 ? 1 : deviation * ((4 * random.NextSingle()) - 2)) >> 16);
                    stream.Write(MemoryMarshal.AsBytes(block.AsSpan(0, count)));
                }
            }));
        }

        void Bytes(string name, string type, long bytes, Half? constant, params long[] dimensions)
        {
            int own = ++seed;
            entries.Add(new SafetensorsEntry(name, type, dimensions, bytes, stream =>
            {
                var random = new Random(own);
                byte[] block = new byte[1 << 20];
                if (constant is { } value)
                    MemoryMarshal.Cast<byte, Half>(block.AsSpan()).Fill(value);
                for (long at = 0; at < bytes; at += block.Length)
                {
                    if (constant is null)
                        random.NextBytes(block);
                    stream.Write(block, 0, (int)Math.Min(block.Length, bytes - at));
                }
            }));
        }
    }

    /// <summary>The linear layers of a block: name, outputs, inputs.</summary>
    private static IEnumerable<(string Name, int Rows, int Columns)> Linears(QwenModel shape)
    {
        int keyWidth = shape.Hidden / shape.Heads * shape.KeyValueHeads;
        return
        [
            ("self_attn.q_proj", shape.Hidden, shape.Hidden), ("self_attn.k_proj", keyWidth, shape.Hidden), ("self_attn.v_proj", keyWidth, shape.Hidden),
            ("self_attn.o_proj", shape.Hidden, shape.Hidden), ("mlp.gate_proj", shape.FeedForward, shape.Hidden), ("mlp.up_proj", shape.FeedForward, shape.Hidden),
            ("mlp.down_proj", shape.Hidden, shape.FeedForward),
        ];
    }

    private static void WriteTokenizer(string folder)
    {
        (List<string> tokens, List<string> merges) = Vocabulary();
        var vocabulary = new JsonObject();
        for (int i = 0; i < tokens.Count; i++)
            vocabulary[tokens[i]] = i;
        var added = new JsonArray();
        string[] specials =
        [
            "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>",
            "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
        ];
        for (int i = 0; i < specials.Length; i++)
            added.Add(new JsonObject { ["id"] = tokens.Count + i, ["content"] = specials[i], ["special"] = true });
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), new JsonObject
        {
            ["added_tokens"] = added,
            ["normalizer"] = new JsonObject { ["type"] = "NFC" },
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray([.. merges.Select(m => JsonValue.Create(m))]) },
        }.ToJsonString(), Encoding.UTF8);
    }
}
