"""Writes the averaged weights of a state as an ordinary Hugging Face folder (bfloat16), beside the files that `portable-training vocabulary` wrote."""
import json
import struct
import sys

import torch

from model import Model, Shape


def tensors(model):
    s = model.shape
    p = dict(model.named_parameters())
    visual, language = "model.visual.", "model.language_model."
    # Trained on one frame: the two halves of the temporal patch see the same frame twice.
    frame = p["patch_embed.weight"].view(s.tower_width, 3, 1, s.patch, s.patch) / 2
    yield visual + "patch_embed.proj.weight", frame.expand(-1, -1, 2, -1, -1)
    yield visual + "patch_embed.proj.bias", p["patch_embed.bias"]
    yield visual + "pos_embed.weight", p["pos_embed"]
    for i in range(s.tower_layers):
        for ours, theirs in (("norm1", "norm1"), ("norm2", "norm2"), ("qkv", "attn.qkv"), ("proj", "attn.proj"), ("fc1", "mlp.linear_fc1"), ("fc2", "mlp.linear_fc2")):
            for kind in ("weight", "bias"):
                yield f"{visual}blocks.{i}.{theirs}.{kind}", p[f"blocks.{i}.{ours}.{kind}"]
    mergers = [("merger", "merger")] + [(f"deepstack.{i}", f"deepstack_merger_list.{i}") for i in range(len(s.deepstack))]
    for ours, theirs in mergers:
        for part, name in (("norm", "norm"), ("fc1", "linear_fc1"), ("fc2", "linear_fc2")):
            for kind in ("weight", "bias"):
                yield f"{visual}{theirs}.{name}.{kind}", p[f"{ours}.{part}.{kind}"]
    yield language + "embed_tokens.weight", p["embed.weight"]
    for i in range(s.layers):
        ours, theirs = f"layers.{i}.", f"{language}layers.{i}."
        yield theirs + "input_layernorm.weight", p[ours + "norm1.weight"]
        yield theirs + "post_attention_layernorm.weight", p[ours + "norm2.weight"]
        q, k, v = p[ours + "qkv.weight"].split([s.heads * s.head, s.kv_heads * s.head, s.kv_heads * s.head])
        for name, value in (("q_proj", q), ("k_proj", k), ("v_proj", v), ("o_proj", p[ours + "o.weight"])):
            yield f"{theirs}self_attn.{name}.weight", value
        yield theirs + "self_attn.q_norm.weight", p[ours + "q_norm.weight"]
        yield theirs + "self_attn.k_norm.weight", p[ours + "k_norm.weight"]
        gate, up = p[ours + "gate_up.weight"].chunk(2)
        for name, value in (("gate_proj", gate), ("up_proj", up), ("down_proj", p[ours + "down.weight"])):
            yield f"{theirs}mlp.{name}.weight", value
    yield language + "norm.weight", p["norm.weight"]
    yield "lm_head.weight", p["lm_head.weight"]


def config(s, header):
    one = {key: header[key][0] for key in ("image", "video", "vision_start", "vision_end", "end", "pad")}
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "dtype": "bfloat16",
        "image_token_id": one["image"],
        "model_type": "qwen3_vl",
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": one["pad"], "eos_token_id": one["end"], "head_dim": s.head, "hidden_act": "silu",
            "hidden_size": s.width, "initializer_range": 0.02, "intermediate_size": s.hidden, "max_position_embeddings": 1024, "model_type": "qwen3_vl_text",
            "num_attention_heads": s.heads, "num_hidden_layers": s.layers, "num_key_value_heads": s.kv_heads, "pad_token_id": one["pad"], "rms_norm_eps": 1e-06,
            "rope_parameters": {"mrope_interleaved": True, "mrope_section": list(s.sections), "rope_theta": s.theta, "rope_type": "default"},
            "tie_word_embeddings": False, "use_cache": True, "vocab_size": s.vocabulary,
        },
        "tie_word_embeddings": False,
        "video_token_id": one["video"],
        "vision_config": {
            "deepstack_visual_indexes": list(s.deepstack), "depth": s.tower_layers, "hidden_act": "gelu_pytorch_tanh", "hidden_size": s.tower_width, "in_channels": 3,
            "initializer_range": 0.02, "intermediate_size": s.tower_hidden, "model_type": "qwen3_vl_vision", "num_heads": s.tower_heads,
            "num_position_embeddings": s.grid * s.grid, "out_hidden_size": s.width, "patch_size": s.patch,
            "rope_parameters": {"rope_theta": 10000.0, "rope_type": "axial"}, "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        "vision_end_token_id": one["vision_end"],
        "vision_start_token_id": one["vision_start"],
    }


def load(state):
    """The averaged model of a state, its weights rounded to what is exported."""
    with open(f"{state}/header.json") as f:
        header = json.load(f)
    model = Model(Shape(vocabulary=header["vocabulary"], labels=len(header["labels"])))
    model.load_state_dict(torch.load(f"{state}/state.pt", weights_only=True)["average"], strict=False)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.bfloat16())
    return model, header


def write(path, named):
    head, at, data = {"__metadata__": {"format": "pt"}}, 0, []
    for name, value in named:
        raw = value.detach().contiguous().bfloat16().view(torch.int16).numpy().tobytes()
        head[name] = {"dtype": "BF16", "shape": list(value.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data.append(raw)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.writelines(data)


def main():
    state, folder = sys.argv[1:]
    model, header = load(state)
    with torch.no_grad():
        write(f"{folder}/model.safetensors", tensors(model))
    with open(f"{folder}/config.json", "w") as f:
        json.dump(config(model.shape, header), f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
