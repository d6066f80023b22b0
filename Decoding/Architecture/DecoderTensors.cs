using System.Globalization;
using Portable.Checkpoints;

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

    /// <summary>q, k and v in one tensor, used where the checkpoint has it.</summary>
    public string? FusedQkv { get; init; }

    /// <summary>
    /// Whether the rows of the fused tensor are, for each key head, its query heads, then the key, then the value;
    /// else all q, then all k, then all v.
    /// </summary>
    public bool IsQkvGrouped { get; init; }

    public required string Output { get; init; }

    public required string QueryNorm { get; init; }

    public required string KeyNorm { get; init; }

    /// <summary>The norm after attention, in families that have one.</summary>
    public required string AttentionPostNorm { get; init; }

    public required string FeedForwardNorm { get; init; }

    public required string Gate { get; init; }

    public required string Up { get; init; }

    /// <summary>Gate and up in one tensor, in this order; used where the checkpoint has it and no gate of its own.</summary>
    public string? FusedGateUp { get; init; }

    public required string Down { get; init; }

    /// <summary>The norm after feed-forward, in families that have one.</summary>
    public required string FeedForwardPostNorm { get; init; }

    /// <summary>The router of a mixture of experts.</summary>
    public required string Router { get; init; }

    /// <summary>The bias of the router's scores: the whole name of a vector.</summary>
    public required string RouterBias { get; init; }

    /// <summary>The gates of experts: {1} is the expert; without it, one tensor holds all.</summary>
    public required string ExpertGate { get; init; }

    public required string ExpertUp { get; init; }

    public required string ExpertDown { get; init; }

    /// <summary>Gates and ups of all experts in one tensor; used where the checkpoint has it.</summary>
    public string? FusedExpertGateUp { get; init; }

    /// <summary>The biases of the experts: one tensor for all, its whole name.</summary>
    public string? ExpertDownBias { get; init; }

    /// <summary>The biases of gate and up of all experts: one tensor, its whole name.</summary>
    public string? ExpertGateUpBias { get; init; }

    /// <summary>The sinks of a layer's heads: the whole name of a vector.</summary>
    public string? Sinks { get; init; }

    /// <summary>The tensors of layers with a recurrent state, in families that have them.</summary>
    public DeltaTensors? Delta { get; init; }

    /// <summary>What gates the expert that every token goes through, in families that gate it.</summary>
    public string SharedOutputGate { get; init; } = "";

    /// <summary>Latent attention: the queries' first and second projection, and the norm between.</summary>
    public string LatentQueryDown { get; init; } = "";

    public string LatentQueryNorm { get; init; } = "";

    public string LatentQueryUp { get; init; } = "";

    /// <summary>Latent attention: from the hidden state to the latent vector of keys and values and the shared key part, and its norm.</summary>
    public string LatentKeyDown { get; init; } = "";

    public string LatentKeyNorm { get; init; } = "";

    /// <summary>Latent attention: from the latent vector to keys and values, head by head.</summary>
    public string LatentKeyValueUp { get; init; } = "";

    /// <summary>The same as two tensors [heads, rank, key part] and [heads, value, rank]; used where the checkpoint has them.</summary>
    public string? LatentKeyUp { get; init; }

    public string? LatentValueUp { get; init; }

    /// <summary>The gate of the expert that every token goes through.</summary>
    public required string SharedGate { get; init; }

    public required string SharedUp { get; init; }

    public required string SharedDown { get; init; }

    /// <summary>The names that llama.cpp's converter writes.</summary>
    public static DecoderTensors Gguf { get; } = new()
    {
        Embedding = "token_embd", FinalNorm = "output_norm", Head = "output",
        AttentionNorm = "blk.{0}.attn_norm", Query = "blk.{0}.attn_q", Key = "blk.{0}.attn_k", Value = "blk.{0}.attn_v",
        FusedQkv = "blk.{0}.attn_qkv", Output = "blk.{0}.attn_output", QueryNorm = "blk.{0}.attn_q_norm", KeyNorm = "blk.{0}.attn_k_norm",
        AttentionPostNorm = "blk.{0}.post_attention_norm", FeedForwardNorm = "blk.{0}.ffn_norm",
        Gate = "blk.{0}.ffn_gate", Up = "blk.{0}.ffn_up", FusedGateUp = "blk.{0}.ffn_up", Down = "blk.{0}.ffn_down",
        FeedForwardPostNorm = "blk.{0}.post_ffw_norm",
        Router = "blk.{0}.ffn_gate_inp", RouterBias = "blk.{0}.exp_probs_b.bias",
        ExpertGate = "blk.{0}.ffn_gate_exps", ExpertUp = "blk.{0}.ffn_up_exps", ExpertDown = "blk.{0}.ffn_down_exps",
        LatentQueryDown = "blk.{0}.attn_q_a", LatentQueryNorm = "blk.{0}.attn_q_a_norm", LatentQueryUp = "blk.{0}.attn_q_b",
        LatentKeyDown = "blk.{0}.attn_kv_a_mqa", LatentKeyNorm = "blk.{0}.attn_kv_a_norm", LatentKeyValueUp = "blk.{0}.attn_kv_b",
        LatentKeyUp = "blk.{0}.attn_k_b", LatentValueUp = "blk.{0}.attn_v_b",
        SharedOutputGate = "blk.{0}.ffn_gate_inp_shexp",
        SharedGate = "blk.{0}.ffn_gate_shexp", SharedUp = "blk.{0}.ffn_up_shexp", SharedDown = "blk.{0}.ffn_down_shexp",
    };

    /// <summary>The names that transformers writes for most families, below a prefix that differs between save versions.</summary>
    public static DecoderTensors HuggingFace { get; } = new()
    {
        Embedding = "embed_tokens", FinalNorm = "norm", Head = "lm_head",
        AttentionNorm = "layers.{0}.input_layernorm",
        Query = "layers.{0}.self_attn.q_proj", Key = "layers.{0}.self_attn.k_proj", Value = "layers.{0}.self_attn.v_proj",
        FusedQkv = "layers.{0}.self_attn.qkv_proj", Output = "layers.{0}.self_attn.o_proj",
        QueryNorm = "layers.{0}.self_attn.q_norm", KeyNorm = "layers.{0}.self_attn.k_norm",
        AttentionPostNorm = "layers.{0}.post_attention_layernorm", FeedForwardNorm = "layers.{0}.post_attention_layernorm",
        Gate = "layers.{0}.mlp.gate_proj", Up = "layers.{0}.mlp.up_proj", FusedGateUp = "layers.{0}.mlp.gate_up_proj",
        Down = "layers.{0}.mlp.down_proj", FeedForwardPostNorm = "layers.{0}.post_feedforward_layernorm",
        Router = "layers.{0}.mlp.gate", RouterBias = "layers.{0}.mlp.gate.e_score_correction_bias",
        ExpertGate = "layers.{0}.mlp.experts.{1}.gate_proj", ExpertUp = "layers.{0}.mlp.experts.{1}.up_proj",
        ExpertDown = "layers.{0}.mlp.experts.{1}.down_proj",
        FusedExpertGateUp = "layers.{0}.mlp.experts.gate_up_proj",
        LatentQueryDown = "layers.{0}.self_attn.q_a_proj", LatentQueryNorm = "layers.{0}.self_attn.q_a_layernorm",
        LatentQueryUp = "layers.{0}.self_attn.q_b_proj", LatentKeyDown = "layers.{0}.self_attn.kv_a_proj_with_mqa",
        LatentKeyNorm = "layers.{0}.self_attn.kv_a_layernorm", LatentKeyValueUp = "layers.{0}.self_attn.kv_b_proj",
        SharedGate = "layers.{0}.mlp.shared_experts.gate_proj", SharedUp = "layers.{0}.mlp.shared_experts.up_proj",
        SharedDown = "layers.{0}.mlp.shared_experts.down_proj",
    };

    /// <summary>These names below a prefix; the head has one of its own.</summary>
    public DecoderTensors Below(string prefix, string headPrefix) => this with
    {
        Delta = Delta?.Below(prefix), SharedOutputGate = prefix + SharedOutputGate,
        FusedExpertGateUp = FusedExpertGateUp is null ? null : prefix + FusedExpertGateUp, Sinks = Sinks is null ? null : prefix + Sinks,
        ExpertGateUpBias = ExpertGateUpBias is null ? null : prefix + ExpertGateUpBias,
        ExpertDownBias = ExpertDownBias is null ? null : prefix + ExpertDownBias,
        LatentQueryDown = prefix + LatentQueryDown, LatentQueryNorm = prefix + LatentQueryNorm, LatentQueryUp = prefix + LatentQueryUp,
        LatentKeyDown = prefix + LatentKeyDown, LatentKeyNorm = prefix + LatentKeyNorm, LatentKeyValueUp = prefix + LatentKeyValueUp,
        Embedding = prefix + Embedding, FinalNorm = prefix + FinalNorm, Head = headPrefix + Head,
        AttentionNorm = prefix + AttentionNorm, Query = prefix + Query, Key = prefix + Key, Value = prefix + Value,
        FusedQkv = FusedQkv is null ? null : prefix + FusedQkv, Output = prefix + Output,
        QueryNorm = prefix + QueryNorm, KeyNorm = prefix + KeyNorm,
        AttentionPostNorm = prefix + AttentionPostNorm, FeedForwardNorm = prefix + FeedForwardNorm,
        Gate = prefix + Gate, Up = prefix + Up, FusedGateUp = FusedGateUp is null ? null : prefix + FusedGateUp,
        Down = prefix + Down, FeedForwardPostNorm = prefix + FeedForwardPostNorm,
        Router = prefix + Router, RouterBias = prefix + RouterBias,
        ExpertGate = prefix + ExpertGate, ExpertUp = prefix + ExpertUp, ExpertDown = prefix + ExpertDown,
        SharedGate = prefix + SharedGate, SharedUp = prefix + SharedUp, SharedDown = prefix + SharedDown,
    };

    /// <summary>These names, the fused ones only where the checkpoint has them; experts are looked for in the last layer, which has them in every family.</summary>
    public DecoderTensors In(Checkpoint checkpoint, int layers) => this with
    {
        FusedExpertGateUp = FusedExpertGateUp is not null && HoldsExperts(checkpoint, InLayer(FusedExpertGateUp, layers - 1)) ? FusedExpertGateUp : null,
        Delta = Delta is null ? null : Delta with
        {
            FusedInput = Delta.FusedInput is not null && checkpoint.HasMatrix(InLayer(Delta.FusedInput, 0)) ? Delta.FusedInput : null,
            FusedGates = Delta.FusedGates is not null && checkpoint.HasMatrix(InLayer(Delta.FusedGates, 0)) ? Delta.FusedGates : null,
        },
        LatentKeyUp = LatentKeyUp is not null && checkpoint.HasMatrix(InLayer(LatentKeyUp, 0)) ? LatentKeyUp : null,
        FusedQkv = FusedQkv is not null && checkpoint.HasMatrix(InLayer(FusedQkv, 0)) ? FusedQkv : null,
        FusedGateUp = FusedGateUp is not null && checkpoint.HasMatrix(InLayer(FusedGateUp, 0)) && !checkpoint.HasMatrix(InLayer(Gate, 0))
            ? FusedGateUp
            : null,
    };

    private static bool HoldsExperts(Checkpoint checkpoint, string module) =>
        checkpoint.TryGetTensor(module, out _) || checkpoint.TryGetTensor(module + "_blocks", out _) || checkpoint.HasMatrix(module);

    /// <summary>A name in a layer.</summary>
    public static string InLayer(string pattern, int layer, int expert = 0) => string.Format(CultureInfo.InvariantCulture, pattern, layer, expert);
}
