using System.Globalization;

namespace Portable.Decoding.Architecture;

/// <summary>The names of a decoder's tensors, without ".weight" and ".bias"; {0} is the layer.</summary>
internal sealed record DecoderTensors
{
    public required string Embedding { get; init; }

    public required string FinalNorm { get; init; }

    public required string Head { get; init; }

    public required string AttentionNorm { get; init; }

    public required string Query { get; init; }

    public required string Key { get; init; }

    public required string Value { get; init; }

    public required string Output { get; init; }

    public required string QueryNorm { get; init; }

    public required string KeyNorm { get; init; }

    public required string FeedForwardNorm { get; init; }

    public required string Gate { get; init; }

    public required string Up { get; init; }

    public required string Down { get; init; }

    /// <summary>The names that llama.cpp's converter writes.</summary>
    public static DecoderTensors Gguf { get; } = new()
    {
        Embedding = "token_embd", FinalNorm = "output_norm", Head = "output",
        AttentionNorm = "blk.{0}.attn_norm", Query = "blk.{0}.attn_q", Key = "blk.{0}.attn_k", Value = "blk.{0}.attn_v",
        Output = "blk.{0}.attn_output", QueryNorm = "blk.{0}.attn_q_norm", KeyNorm = "blk.{0}.attn_k_norm",
        FeedForwardNorm = "blk.{0}.ffn_norm", Gate = "blk.{0}.ffn_gate", Up = "blk.{0}.ffn_up", Down = "blk.{0}.ffn_down",
    };

    /// <summary>The names that transformers writes, below a prefix that differs between save versions.</summary>
    public static DecoderTensors HuggingFace(string prefix, string head) => new()
    {
        Embedding = prefix + "embed_tokens", FinalNorm = prefix + "norm", Head = head,
        AttentionNorm = prefix + "layers.{0}.input_layernorm",
        Query = prefix + "layers.{0}.self_attn.q_proj", Key = prefix + "layers.{0}.self_attn.k_proj",
        Value = prefix + "layers.{0}.self_attn.v_proj", Output = prefix + "layers.{0}.self_attn.o_proj",
        QueryNorm = prefix + "layers.{0}.self_attn.q_norm", KeyNorm = prefix + "layers.{0}.self_attn.k_norm",
        FeedForwardNorm = prefix + "layers.{0}.post_attention_layernorm",
        Gate = prefix + "layers.{0}.mlp.gate_proj", Up = prefix + "layers.{0}.mlp.up_proj", Down = prefix + "layers.{0}.mlp.down_proj",
    };

    /// <summary>A name in a layer.</summary>
    public static string InLayer(string pattern, int layer) => string.Format(CultureInfo.InvariantCulture, pattern, layer);
}
