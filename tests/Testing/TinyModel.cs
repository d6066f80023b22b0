using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;

namespace Portable.Testing;

/// <summary>
/// Writes a small language model as Hugging Face folders hold them: config.json, model.safetensors, tokenizer.json
/// (byte-level BPE, every byte a token) and a ChatML template. Its parts may be changed before <see cref="Write"/>, so
/// that a test can say what is broken. The folder is deleted when disposed of.
/// </summary>
public sealed class TinyModel : IDisposable
{
    /// <summary>Tokens of the vocabulary: 256 bytes, two merges and the special ones.</summary>
    public const int VocabularySize = 272;

    /// <summary>Begins a message.</summary>
    public const int StartToken = 264;

    /// <summary>Ends a message; the model's end token.</summary>
    public const int EndToken = 265;

    /// <summary>"&lt;think&gt;", a token that is not special.</summary>
    public const int ThinkToken = 266;

    /// <summary>"&lt;/think&gt;".</summary>
    public const int EndThinkToken = 267;

    /// <summary>The template: ChatML that takes tools and tool calls.</summary>
    public const string ChatML = """
        {%- if tools %}<|im_start|>system
        tools:{% for tool in tools %} {{ tool | tojson }}{% endfor %}<|im_end|>
        {% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
        {{ message.content }}{% if message.tool_calls %}{% for call in message.tool_calls %}<call>{{ call.function | tojson }}</call>{% endfor %}{% endif %}<|im_end|>
        {% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
        {% endif %}
        """;

    private const int FirstSpecial = StartToken;
    private static readonly string[] Added = ["<|im_start|>", "<|im_end|>", "<think>", "</think>"];
    private readonly string _root = Directory.CreateTempSubdirectory("portable-tiny-").FullName;

    /// <summary>Describes a model with random weights; the same seed gives the same model.</summary>
    /// <param name="seed">Of the weights.</param>
    /// <param name="modelType">"llama", "mistral", "qwen2" or "qwen3".</param>
    /// <param name="hidden">Width.</param>
    /// <param name="layers">Blocks.</param>
    /// <param name="context">max_position_embeddings.</param>
    public TinyModel(int seed = 1, string modelType = "llama", int hidden = 64, int layers = 2, int context = 512)
    {
        const int heads = 4, keyHeads = 2, headSize = 16;
        int feedForward = 2 * hidden;
        Config = new JsonObject
        {
            ["architectures"] = new JsonArray("TinyForCausalLM"),
            ["model_type"] = modelType,
            ["vocab_size"] = VocabularySize,
            ["hidden_size"] = hidden,
            ["intermediate_size"] = feedForward,
            ["num_hidden_layers"] = layers,
            ["num_attention_heads"] = heads,
            ["num_key_value_heads"] = keyHeads,
            ["head_dim"] = headSize,
            ["rms_norm_eps"] = 1e-6,
            ["rope_theta"] = 10000.0,
            ["max_position_embeddings"] = context,
            ["hidden_act"] = "silu",
            ["tie_word_embeddings"] = false,
            ["eos_token_id"] = EndToken,
        };
        Tokenizer = TokenizerJson();
        var random = new Random(seed);
        Matrix("model.embed_tokens", VocabularySize, hidden, 1);
        Matrix("lm_head", VocabularySize, hidden, 0.5);
        Ones("model.norm", hidden);
        for (int layer = 0; layer < layers; layer++)
        {
            string prefix = string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}.");
            Ones(prefix + "input_layernorm", hidden);
            Ones(prefix + "post_attention_layernorm", hidden);
            Matrix(prefix + "self_attn.q_proj", heads * headSize, hidden, 2 / Math.Sqrt(hidden));
            Matrix(prefix + "self_attn.k_proj", keyHeads * headSize, hidden, 2 / Math.Sqrt(hidden));
            Matrix(prefix + "self_attn.v_proj", keyHeads * headSize, hidden, 2 / Math.Sqrt(hidden));
            Matrix(prefix + "self_attn.o_proj", hidden, heads * headSize, 1 / Math.Sqrt(heads * headSize));
            Matrix(prefix + "mlp.gate_proj", feedForward, hidden, 1 / Math.Sqrt(hidden));
            Matrix(prefix + "mlp.up_proj", feedForward, hidden, 1 / Math.Sqrt(hidden));
            Matrix(prefix + "mlp.down_proj", hidden, feedForward, 1 / Math.Sqrt(feedForward));
            if (modelType == "qwen3")
            {
                Ones(prefix + "self_attn.q_norm", headSize);
                Ones(prefix + "self_attn.k_norm", headSize);
            }

            if (modelType == "qwen2")
            {
                Vector(prefix + "self_attn.q_proj.bias", heads * headSize);
                Vector(prefix + "self_attn.k_proj.bias", keyHeads * headSize);
                Vector(prefix + "self_attn.v_proj.bias", keyHeads * headSize);
            }
        }

        void Matrix(string module, int rows, int columns, double scale) => Tensors[module + ".weight"] = ([rows, columns], Values(rows * columns, scale));

        void Vector(string tensor, int length) => Tensors[tensor] = ([length], Values(length, 0.1));

        void Ones(string module, int length) => Tensors[module + ".weight"] = ([length], [.. Enumerable.Repeat(1f, length)]);

        float[] Values(int count, double scale) => [.. Enumerable.Range(0, count).Select(_ => (float)(((random.NextDouble() * 2) - 1) * scale * 1.7))];
    }

    /// <summary>The folder.</summary>
    public string Folder => _root;

    /// <summary>config.json.</summary>
    public JsonObject Config { get; }

    /// <summary>tokenizer.json.</summary>
    public JsonObject Tokenizer { get; }

    /// <summary>The chat template; null writes none.</summary>
    public string? Template { get; set; } = ChatML;

    /// <summary>The tensors of model.safetensors, float32.</summary>
    public Dictionary<string, (int[] Shape, float[] Values)> Tensors { get; } = [];

    /// <summary>
    /// A model that says one text whatever it is asked: after a newline comes the text's first token, after each token
    /// the next one, after the last the end token. So no token may come twice in the text, nor a newline.
    /// </summary>
    /// <param name="tokens">The text's tokens.</param>
    public static TinyModel Saying(params int[] tokens)
    {
        var model = new TinyModel(hidden: VocabularySize, layers: 1);
        foreach ((string name, (int[] _, float[] values)) in model.Tensors)
        {
            if (name.Contains("o_proj", StringComparison.Ordinal) || name.Contains("down_proj", StringComparison.Ordinal)
                || name is "model.embed_tokens.weight" or "lm_head.weight")
                Array.Clear(values);
        }

        float[] embedding = model.Tensors["model.embed_tokens.weight"].Values, head = model.Tensors["lm_head.weight"].Values;
        for (int token = 0; token < VocabularySize; token++)
            embedding[(token * VocabularySize) + token] = 1;
        int last = '\n';
        foreach (int next in tokens.Append(EndToken))
        {
            head[(next * VocabularySize) + last] = 1;
            last = next;
        }

        return model;
    }

    /// <summary>As <see cref="Saying(int[])"/>, for a text of distinct ASCII characters.</summary>
    public static TinyModel Saying(string text) => Saying([.. text.Select(c => (int)c)]);

    /// <summary>Writes the folder and returns its path.</summary>
    public string Write()
    {
        File.WriteAllText(Path.Combine(_root, "config.json"), Config.ToJsonString());
        File.WriteAllText(Path.Combine(_root, "tokenizer.json"), Tokenizer.ToJsonString());
        var tokenizerConfig = new JsonObject { ["eos_token"] = "<|im_end|>" };
        if (Template is not null)
            tokenizerConfig["chat_template"] = Template;
        File.WriteAllText(Path.Combine(_root, "tokenizer_config.json"), tokenizerConfig.ToJsonString());
        File.WriteAllBytes(Path.Combine(_root, "model.safetensors"), Safetensors());
        return _root;
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_root, recursive: true);

    private byte[] Safetensors()
    {
        var header = new JsonObject();
        using var data = new MemoryStream();
        foreach ((string name, (int[] shape, float[] values)) in Tensors)
        {
            long begin = data.Length;
            data.Write(MemoryMarshal.AsBytes<float>(values));
            header[name] = new JsonObject
            {
                ["dtype"] = "F32",
                ["shape"] = new JsonArray([.. shape.Select(s => JsonValue.Create(s))]),
                ["data_offsets"] = new JsonArray(begin, data.Length),
            };
        }

        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
        int padded = (json.Length + 7) / 8 * 8;
        byte[] spaces = [.. Enumerable.Repeat((byte)' ', padded - json.Length)];
        return [.. BitConverter.GetBytes((ulong)padded), .. json, .. spaces, .. data.ToArray()];
    }

    private static JsonObject TokenizerJson()
    {
        var vocabulary = new JsonObject();
        for (int b = 0; b < 256; b++)
            vocabulary[((char)ByteSymbol(b)).ToString()] = b;
        vocabulary["he"] = 256;
        vocabulary["ll"] = 257;
        var added = new JsonArray();
        for (int i = 0; i < Added.Length; i++)
            added.Add(new JsonObject { ["id"] = FirstSpecial + i, ["content"] = Added[i], ["special"] = i < 2 });
        return new JsonObject
        {
            ["added_tokens"] = added,
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray("h e", "l l") },
        };
    }

    /// <summary>The character that stands for a byte in byte-level vocabularies (GPT-2's table).</summary>
    private static int ByteSymbol(int value)
    {
        int next = 256;
        for (int b = 0; b < value; b++)
            next += IsPrintable(b) ? 0 : 1;
        return IsPrintable(value) ? value : next;
    }

    private static bool IsPrintable(int b) => b is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174;
}
