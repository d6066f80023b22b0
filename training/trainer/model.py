"""The built-in model for training: Qwen3-VL's computation (transformers' Qwen3VLForConditionalGeneration), small, with auxiliary heads."""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Shape:
    vocabulary: int
    labels: int
    patch: int = 14
    tower_width: int = 192
    tower_heads: int = 6
    tower_hidden: int = 768
    tower_layers: int = 6
    grid: int = 16
    deepstack: tuple = (3,)
    width: int = 256
    heads: int = 8
    kv_heads: int = 4
    head: int = 32
    hidden: int = 704
    layers: int = 4
    theta: float = 1000.0
    sections: tuple = (6, 5, 5)


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, 1e-6)


def attend(q, k, v, mask=None):
    """Written out: on processors with AMX the two matrix products and a softmax train many times faster than the fused kernel's backward pass."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask
    return scores.softmax(-1).to(v.dtype) @ v


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class TowerBlock(nn.Module):
    def __init__(self, s):
        super().__init__()
        d = s.tower_width
        self.heads = s.tower_heads
        self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc1, self.fc2 = nn.Linear(d, s.tower_hidden), nn.Linear(s.tower_hidden, d)

    def forward(self, x, cos, sin):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        cos, sin = cos.to(v.dtype), sin.to(v.dtype)
        a = attend(rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype), v)
        x = x + self.proj(a.transpose(1, 2).reshape(b, t, d))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x)), approximate="tanh"))


class Merger(nn.Module):
    """Four neighbouring patches to one token; the norm is over a patch, or over all four in a deepstack merger."""

    def __init__(self, s, over_four):
        super().__init__()
        wide = 4 * s.tower_width
        self.over_four = over_four
        self.norm = nn.LayerNorm(wide if over_four else s.tower_width, eps=1e-6)
        self.fc1, self.fc2 = nn.Linear(wide, wide), nn.Linear(wide, s.width)

    def forward(self, x):
        b, t, d = x.shape
        x = self.norm(x.view(b, t // 4, 4 * d)) if self.over_four else self.norm(x).view(b, t // 4, 4 * d)
        return self.fc2(F.gelu(self.fc1(x)))


class DecoderBlock(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.heads, self.kv_heads, self.head = s.heads, s.kv_heads, s.head
        self.norm1, self.norm2 = RmsNorm(s.width), RmsNorm(s.width)
        self.q_norm, self.k_norm = RmsNorm(s.head), RmsNorm(s.head)
        self.qkv = nn.Linear(s.width, (s.heads + 2 * s.kv_heads) * s.head, bias=False)
        self.o = nn.Linear(s.heads * s.head, s.width, bias=False)
        self.gate_up = nn.Linear(s.width, 2 * s.hidden, bias=False)
        self.down = nn.Linear(s.hidden, s.width, bias=False)

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, -1, self.head).transpose(1, 2).split([self.heads, self.kv_heads, self.kv_heads], 1)
        q, k = rotate(self.q_norm(q), cos, sin).to(v.dtype), rotate(self.k_norm(k), cos, sin).to(v.dtype)
        k, v = (y.repeat_interleave(self.heads // self.kv_heads, 1) for y in (k, v))
        a = attend(q, k, v, mask)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, -1))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.shape = s
        d = s.tower_width
        self.patch_embed = nn.Linear(3 * s.patch * s.patch, d)
        self.pos_embed = nn.Parameter(torch.zeros(s.grid * s.grid, d))
        self.blocks = nn.ModuleList(TowerBlock(s) for _ in range(s.tower_layers))
        self.merger = Merger(s, over_four=False)
        self.deepstack = nn.ModuleList(Merger(s, over_four=True) for _ in s.deepstack)
        self.embed = nn.Embedding(s.vocabulary, s.width)
        self.layers = nn.ModuleList(DecoderBlock(s) for _ in range(s.layers))
        self.norm = RmsNorm(s.width)
        self.lm_head = nn.Linear(s.width, s.vocabulary, bias=False)
        # Only for training: what is under each patch, and under the four patches of each merged token.
        self.aux_patch = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, s.labels))
        self.aux_token = nn.Sequential(nn.LayerNorm(s.width), nn.Linear(s.width, 4 * s.labels))
        # And where the token lies, in sixteenths of the picture: or nothing brings places to the decoder.
        self.aux_place = nn.Linear(s.width, 32)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0, 0.02)
        nn.init.normal_(self.pos_embed, 0, 0.05)
        # Image tokens and text tokens of one size, or the decoder never looks at the image.
        nn.init.normal_(self.embed.weight, 0, 0.3)
        nn.init.normal_(self.merger.fc2.weight, 0, 0.04)
        for head in (self.aux_patch[1], self.aux_token[1]):
            nn.init.constant_(head.bias, -4.0)
        self._places = {}

    def place(self, h, w):
        """Rope angles and the four corners of the interpolated position embedding for a grid of h by w patches, in merged order."""
        if (h, w) in self._places:
            return self._places[h, w]
        s = self.shape
        order = torch.arange(h * w).view(h // 2, 2, w // 2, 2).permute(0, 2, 1, 3).reshape(-1)
        row, column = order // w, order % w
        quarter = s.tower_width // s.tower_heads // 4
        inverse = 10000.0 ** -(torch.arange(quarter) / quarter)
        angle = torch.cat([row[:, None] * inverse, column[:, None] * inverse], -1)
        ys, xs = torch.linspace(0, s.grid - 1, h), torch.linspace(0, s.grid - 1, w)
        y0, x0 = ys.int(), xs.int()
        y1, x1 = (y0 + 1).clip(max=s.grid - 1), (x0 + 1).clip(max=s.grid - 1)
        dy, dx = ys - y0, xs - x0
        corners = []
        for yi, wy in ((y0, 1 - dy), (y1, dy)):
            for xi, wx in ((x0, 1 - dx), (x1, dx)):
                corners.append(((yi[:, None] * s.grid + xi[None]).reshape(-1)[order].long(), (wy[:, None] * wx[None]).reshape(-1)[order]))
        self._places[h, w] = (angle.cos(), angle.sin(), corners)
        return self._places[h, w]

    def tower(self, patches, h, w):
        """patches: [B, h*w, 3*patch*patch] in merged order. Returns image tokens, deepstack tokens and the last patch states."""
        cos, sin, corners = self.place(h, w)
        x = self.patch_embed(patches).float()
        x = x + sum(self.pos_embed[i] * f[:, None] for i, f in corners)
        deep = []
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin)
            if i in self.shape.deepstack:
                deep.append(self.deepstack[len(deep)](x))
        return self.merger(x), deep, x

    def positions(self, before, h, w, offsets):
        """Qwen's three-axis positions [3, B, T] of the text before the image, the image, the vision end and the questions (offsets [B, T])."""
        b = offsets.shape[0]
        rows = torch.arange(h // 2).repeat_interleave(w // 2)
        columns = torch.arange(w // 2).repeat(h // 2)
        image = torch.stack([torch.zeros_like(rows), rows, columns]) + before
        after = before + max(h, w) // 2
        head = torch.cat([torch.arange(before).expand(3, -1), image, torch.full((3, 1), after)], 1)
        return torch.cat([head[:, None].expand(3, b, -1), (offsets + after + 1)[None].expand(3, -1, -1)], 2)

    def rope(self, positions):
        s = self.shape
        half = s.head // 2
        inverse = s.theta ** -(torch.arange(half) / half)
        angles = positions[..., None].float() * inverse
        angle = angles[0].clone()
        for axis in (1, 2):
            index = torch.arange(axis, s.sections[axis] * 3, 3)
            angle[..., index] = angles[axis][..., index]
        return angle.cos()[:, None], angle.sin()[:, None]

    def forward(self, patches, h, w, before, vision_end, ids, offsets, segments, wanted=None):
        """
        Several questions share an image: each sees the text before it, the image and itself. ids, offsets, segments: [B, T] (segment 0: padding).
        Returns logits of the wanted positions ([B, T] mask; None: all), image tokens and patch states.
        """
        tokens, deep, states = self.tower(patches, h, w)
        b, n, _ = tokens.shape
        t = ids.shape[1]
        head = self.embed(before).expand(b, -1, -1)
        x = torch.cat([head, tokens.float(), self.embed(vision_end).expand(b, 1, -1), self.embed(ids)], 1)
        at = len(before)
        prefix = at + n + 1
        cos, sin = self.rope(self.positions(at, h, w, offsets))
        groups = torch.cat([torch.zeros(b, prefix, dtype=torch.long), segments.long()], 1)
        padding = torch.cat([torch.zeros(b, prefix, dtype=torch.bool), segments == 0], 1)
        size = prefix + t
        sees = torch.ones(size, size, dtype=torch.bool).tril()[None] & ((groups[:, None] == 0) & ~padding[:, None] | (groups[:, None] == groups[:, :, None]))
        mask = torch.zeros(b, 1, size, size).masked_fill_(~sees[:, None], -1e9).bfloat16()
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, mask)
            if i < len(deep):
                x = torch.cat([x[:, :at], x[:, at:at + n] + deep[i], x[:, at + n:]], 1)
        x = x[:, prefix:]
        if wanted is not None:
            x = x[wanted]
        return self.lm_head(self.norm(x)), tokens, states
