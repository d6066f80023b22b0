using System.Globalization;
using System.Text;
using System.Text.Json;
using Portable.Checkpoints;

namespace Portable.Tests.Vision.Models;

/// <summary>
/// Writes a tiny Qwen-VL folder as the two GGUF files of llama.cpp's world, a language model and a projector (mmproj), with the names and keys that its
/// converter writes. No file that the converter itself wrote is at hand.
/// </summary>
internal sealed class QwenAsGguf : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly JsonElement _config;
    private readonly JsonElement _text;
    private readonly JsonElement _vision;
    private readonly string _type;

    public QwenAsGguf(string folder)
    {
        _checkpoint = Checkpoint.Open(folder);
        _config = _checkpoint.Config!.Value;
        _text = _config.TryGetProperty("text_config", out JsonElement text) ? text : _config;
        _vision = _config.GetProperty("vision_config");
        _type = _config.GetProperty("model_type").GetString()!;
    }

    private bool IsQwen3 => _type == "qwen3_vl";

    private string Architecture => IsQwen3 ? "qwen3vl" : "qwen2vl";

    public void Dispose() => _checkpoint.Dispose();

    /// <summary>The language model's file.</summary>
    public byte[] Language()
    {
        string a = Architecture;
        int layers = Int(_text, "num_hidden_layers");
        JsonElement rope = _text.TryGetProperty("rope_parameters", out JsonElement parameters) ? parameters
            : _text.TryGetProperty("rope_scaling", out JsonElement scaling) ? scaling : _config.GetProperty("rope_scaling");
        double theta = rope.TryGetProperty("rope_theta", out JsonElement inside) ? inside.GetDouble() : _text.GetProperty("rope_theta").GetDouble();
        GgufBuilder file = new GgufBuilder()
            .String("general.architecture", a).UInt32(a + ".embedding_length", U(_text, "hidden_size")).UInt32(a + ".block_count", (uint)layers)
            .UInt32(a + ".feed_forward_length", U(_text, "intermediate_size")).UInt32(a + ".attention.head_count", U(_text, "num_attention_heads"))
            .UInt32(a + ".attention.head_count_kv", U(_text, "num_key_value_heads")).UInt32(a + ".context_length", U(_text, "max_position_embeddings"))
            .Float32(a + ".attention.layer_norm_rms_epsilon", (float)_text.GetProperty("rms_norm_eps").GetDouble()).Float32(a + ".rope.freq_base", (float)theta)
            .Int32s(a + ".rope.dimension_sections", [.. rope.GetProperty("mrope_section").EnumerateArray().Select(s => s.GetInt32()), 0]);
        if (_text.TryGetProperty("head_dim", out JsonElement head))
            file.UInt32(a + ".attention.key_length", (uint)head.GetInt32()).UInt32(a + ".attention.value_length", (uint)head.GetInt32());
        if (IsQwen3)
            file.UInt32(a + ".n_deepstack_layers", (uint)_vision.GetProperty("deepstack_visual_indexes").GetArrayLength());
        Vocabulary(file);

        string prefix = _checkpoint.TryGetTensor("model.language_model.embed_tokens.weight", out _) ? "model.language_model."
            : _checkpoint.TryGetTensor("language_model.model.embed_tokens.weight", out _) ? "language_model.model." : "model.";
        Copy(file, prefix + "embed_tokens.weight", "token_embd.weight");
        Copy(file, prefix + "norm.weight", "output_norm.weight");
        Copy(file, "lm_head.weight", "output.weight");
        foreach (string layer in Enumerable.Range(0, layers).Select(i => i.ToString(CultureInfo.InvariantCulture)))
        {
            foreach ((string from, string to) in ((string, string)[])[
                ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"), ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"),
                ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"), ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"),
                ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down")])
            {
                Copy(file, $"{prefix}layers.{layer}.{from}.weight", $"blk.{layer}.{to}.weight");
                Copy(file, $"{prefix}layers.{layer}.{from}.bias", $"blk.{layer}.{to}.bias");
            }
        }

        return file.Build();
    }

    /// <summary>The projector's file.</summary>
    /// <param name="change">Changes it before it is built.</param>
    /// <param name="type">The projector type, where it is to lie.</param>
    /// <param name="without">A tensor to leave out.</param>
    /// <param name="swapsFeedForward">Whether the MLP's layers have each other's names, as in older files.</param>
    public byte[] Projector(Action<GgufBuilder>? change = null, string? type = null, string? without = null, bool swapsFeedForward = false)
    {
        const string v = "clip.vision.";
        int width = Int(_vision, _type == "qwen2_vl" ? "embed_dim" : "hidden_size"), layers = Int(_vision, "depth"), patch = Int(_vision, "patch_size");
        int feedForward = _type == "qwen2_vl" ? width * Int(_vision, "mlp_ratio") : Int(_vision, "intermediate_size");
        using JsonDocument images = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_checkpoint.Path, "preprocessor_config.json")));
        JsonElement settings = images.RootElement;
        GgufBuilder file = new GgufBuilder()
            .String("general.architecture", "clip").Boolean("clip.has_vision_encoder", true)
            .String("clip.projector_type", type ?? (_type switch { "qwen2_vl" => "qwen2vl_merger", "qwen2_5_vl" => "qwen2.5vl_merger", _ => "qwen3vl_merger" }))
            .UInt32(v + "embedding_length", (uint)width).UInt32(v + "block_count", (uint)layers).UInt32(v + "feed_forward_length", (uint)feedForward)
            .UInt32(v + "attention.head_count", U(_vision, "num_heads")).UInt32(v + "patch_size", (uint)patch).UInt32(v + "image_size", 560)
            .UInt32(v + "spatial_merge_size", U(_vision, "spatial_merge_size")).Float32(v + "attention.layer_norm_epsilon", 1e-6f)
            .UInt32(v + "projection_dim", U(_text, "hidden_size"))
            .UInt32(v + "image_min_pixels", Pixels("min_pixels", "shortest_edge")).UInt32(v + "image_max_pixels", Pixels("max_pixels", "longest_edge"))
            .Float32s(v + "image_mean", [.. settings.GetProperty("image_mean").EnumerateArray().Select(m => m.GetSingle())])
            .Float32s(v + "image_std", [.. settings.GetProperty("image_std").EnumerateArray().Select(m => m.GetSingle())]);
        if (_type == "qwen2_5_vl")
            file.Boolean("clip.use_silu", true).UInt32(v + "n_wa_pattern", (uint)_vision.GetProperty("fullatt_block_indexes")[0].GetInt32() + 1);
        var taps = new List<int>();
        if (IsQwen3)
        {
            taps.AddRange(_vision.GetProperty("deepstack_visual_indexes").EnumerateArray().Select(i => i.GetInt32()));
            file.Boolean("clip.use_gelu", true).Booleans(v + "is_deepstack_layers", [.. Enumerable.Range(0, layers).Select(taps.Contains)]);
        }

        change?.Invoke(file);
        string prefix = _checkpoint.TryGetTensor("model.visual.patch_embed.proj.weight", out _) ? "model.visual." : "visual.";
        var names = new List<(string From, string To)>
        {
            ("pos_embed", "v.position_embd"), (IsQwen3 ? "merger.norm" : "merger.ln_q", "v.post_ln"),
            (IsQwen3 ? "merger.linear_fc1" : "merger.mlp.0", "mm.0"), (IsQwen3 ? "merger.linear_fc2" : "merger.mlp.2", "mm.2"),
        };
        (string up, string down) = swapsFeedForward ? ("ffn_down", "ffn_up") : ("ffn_up", "ffn_down");
        foreach (string layer in Enumerable.Range(0, layers).Select(i => i.ToString(CultureInfo.InvariantCulture)))
        {
            string from = $"blocks.{layer}.", to = $"v.blk.{layer}.";
            names.AddRange([(from + "norm1", to + "ln1"), (from + "norm2", to + "ln2"), (from + "attn.proj", to + "attn_out")]);
            names.AddRange(_type switch
            {
                "qwen2_vl" => [(from + "mlp.fc1", to + up), (from + "mlp.fc2", to + down)],
                "qwen2_5_vl" => [(from + "mlp.gate_proj", to + "ffn_gate"), (from + "mlp.up_proj", to + up), (from + "mlp.down_proj", to + down)],
                _ => ((string, string)[])[(from + "mlp.linear_fc1", to + up), (from + "mlp.linear_fc2", to + down), (from + "attn.qkv", to + "attn_qkv")],
            });
            if (!IsQwen3)
                Split(file, prefix + from + "attn.qkv", to, width, without);
        }

        for (int i = 0; i < taps.Count; i++)
        {
            string from = $"deepstack_merger_list.{i}.", to = $"v.deepstack.{taps[i]}.";
            names.AddRange([(from + "norm", to + "norm"), (from + "linear_fc1", to + "fc1"), (from + "linear_fc2", to + "fc2")]);
        }

        foreach ((string from, string to) in names)
        {
            Copy(file, $"{prefix}{from}.weight", to + ".weight", without);
            Copy(file, $"{prefix}{from}.bias", to + ".bias", without);
        }

        PatchEmbedding(file, prefix, width, patch, without);
        return file.Build();

        uint Pixels(string own, string edge) =>
            (uint)(settings.TryGetProperty(own, out JsonElement pixels) ? pixels : settings.GetProperty("size").GetProperty(edge)).GetInt64();
    }

    private void PatchEmbedding(GgufBuilder file, string prefix, int width, int patch, string? without)
    {
        int pixels = patch * patch;
        float[] all = _checkpoint.ReadVector(prefix + "patch_embed.proj.weight", width * 3 * 2 * pixels);
        for (int frame = 0; frame < 2; frame++)
        {
            float[] slice = new float[width * 3 * pixels];
            for (int part = 0; part < width * 3; part++)
                all.AsSpan(((part * 2) + frame) * pixels, pixels).CopyTo(slice.AsSpan(part * pixels));
            string name = frame == 0 ? "v.patch_embd.weight" : "v.patch_embd.weight.1";
            if (name != without)
                file.Floats(name, slice, patch, patch, 3, width);
        }

        Copy(file, prefix + "patch_embed.proj.bias", "v.patch_embd.bias", without);
    }

    /// <summary>Writes q, k and v apart.</summary>
    private void Split(GgufBuilder file, string from, string to, int width, string? without)
    {
        float[] weights = _checkpoint.ReadVector(from + ".weight", 3 * width * width), biases = _checkpoint.ReadVector(from + ".bias", 3 * width);
        foreach ((string name, int part) in ((string, int)[])[("attn_q", 0), ("attn_k", 1), ("attn_v", 2)])
        {
            if ($"{to}{name}.weight" != without)
                file.Floats($"{to}{name}.weight", weights.AsSpan(part * width * width, width * width).ToArray(), width, width);
            file.Floats($"{to}{name}.bias", biases.AsSpan(part * width, width).ToArray(), width);
        }
    }

    private void Copy(GgufBuilder file, string from, string to, string? without = null)
    {
        if (to != without && _checkpoint.TryGetTensor(from, out CheckpointTensor? tensor) && _checkpoint.TryReadVector(from, out float[]? values))
            file.Floats(to, values, [.. tensor.Shape.Reverse()]);
    }

    private void Vocabulary(GgufBuilder file)
    {
        const int Normal = 1, Control = 3, Unused = 5;
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_checkpoint.Path, "tokenizer.json")));
        var tokens = new string[Int(_text, "vocab_size")];
        int[] types = new int[tokens.Length];
        for (int i = 0; i < tokens.Length; i++)
            (tokens[i], types[i]) = ($"[PAD{i}]", Unused);
        JsonElement model = json.RootElement.GetProperty("model");
        foreach (JsonProperty token in model.GetProperty("vocab").EnumerateObject())
            (tokens[token.Value.GetInt32()], types[token.Value.GetInt32()]) = (token.Name, Normal);
        foreach (JsonElement added in json.RootElement.GetProperty("added_tokens").EnumerateArray())
            (tokens[added.GetProperty("id").GetInt32()], types[added.GetProperty("id").GetInt32()]) = (added.GetProperty("content").GetString()!, Control);
        file.String("tokenizer.ggml.model", "gpt2").String("tokenizer.ggml.pre", "qwen2")
            .Strings("tokenizer.ggml.tokens", [.. tokens.Select(Encoding.UTF8.GetBytes)]).Int32s("tokenizer.ggml.token_type", types)
            .Strings("tokenizer.ggml.merges", [.. model.GetProperty("merges").EnumerateArray().Select(m => Encoding.UTF8.GetBytes(
                m.ValueKind == JsonValueKind.String ? m.GetString()! : $"{m[0].GetString()} {m[1].GetString()}"))])
            .UInt32("tokenizer.ggml.eos_token_id", U(_text, "eos_token_id")).Boolean("tokenizer.ggml.add_bos_token", false)
            .String("tokenizer.chat_template", File.ReadAllText(Path.Combine(_checkpoint.Path, "chat_template.jinja")));
    }

    private static int Int(JsonElement json, string name) => json.GetProperty(name).GetInt32();

    private static uint U(JsonElement json, string name) => (uint)Int(json, name);
}
