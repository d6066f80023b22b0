"""
Trains the built-in model on the batches at standard input. The state folder holds everything that a later run needs to go on:
weights, their running average, optimizer, the number of the next batch, and log.csv.
"""
import argparse
import csv
import json
import math
import os
import sys
import time

import torch
import torch.nn.functional as F

from model import Model, Shape
from stream import prefetch, read_batch, read_header

LOOKUP = 64


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--state", required=True)
    p.add_argument("--held-out", required=True, help="the evaluation set as batches")
    p.add_argument("--steps", type=int, required=True, help="the step at which the rate has fallen to nothing")
    p.add_argument("--decay-from", type=int, default=0, help="the step from which the rate falls, linearly")
    p.add_argument("--rate", type=float, default=2.5e-3, help="Muon's")
    p.add_argument("--adam-rate", type=float, default=1.2e-3)
    p.add_argument("--warm-up", type=int, default=300)
    p.add_argument("--aux", type=float, default=0.5)
    p.add_argument("--lookups", type=float, default=0.5, help="the weight of an answer to a lookup")
    p.add_argument("--weights", default="", help="category=weight,...")
    p.add_argument("--check-every", type=int, default=1000)
    p.add_argument("--save-every", type=int, default=500)
    p.add_argument("--average", type=float, default=0.999)
    p.add_argument("--seconds", type=float, default=math.inf, help="stop, saved, after so long")
    return p.parse_args()


def orthogonal(g):
    """The nearest (semi-)orthogonal matrices of a stack [N, rows, columns], by five Newton-Schulz steps (Jordan et al. 2024)."""
    x = g.bfloat16()
    turned = x.shape[1] > x.shape[2]
    if turned:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.transpose(1, 2) if turned else x).float()


class Muon:
    """Momentum, made orthogonal, for the matrices; fused ones are taken apart first. Updates have the root mean square of 0.2 * rate."""

    def __init__(self, parts):
        self.groups = {}
        for parameter, pieces in parts:
            at = 0
            for rows in pieces:
                self.groups.setdefault((rows, parameter.shape[1]), []).append((parameter, at, at + rows))
                at += rows
        self.momenta = {key: torch.zeros(len(items), *key) for key, items in self.groups.items()}

    @torch.no_grad()
    def step(self, rate, decay=0.1, beta=0.95):
        for (rows, columns), items in self.groups.items():
            g = torch.stack([p.grad[a:b] for p, a, b in items])
            m = self.momenta[rows, columns]
            m.lerp_(g, 1 - beta)
            update = orthogonal(g.lerp(m, beta)) * (0.2 * math.sqrt(max(rows, columns)))
            for (p, a, b), u in zip(items, update):
                p[a:b].mul_(1 - rate * decay).sub_(u, alpha=rate)

    def state(self):
        return self.momenta

    def load(self, state):
        self.momenta = state


def split(model):
    """Matrices for Muon with the rows of their parts, everything else for AdamW."""
    s = model.shape
    parts, rest = [], []
    for name, p in model.named_parameters():
        inside = name.startswith(("blocks.", "layers.", "merger.", "deepstack."))
        if p.dim() != 2 or not inside:
            rest.append(p)
        elif name.startswith("blocks.") and "qkv" in name:
            parts.append((p, [s.tower_width] * 3))
        elif "qkv" in name:
            parts.append((p, [s.heads * s.head, s.kv_heads * s.head, s.kv_heads * s.head]))
        elif "gate_up" in name:
            parts.append((p, [s.hidden] * 2))
        else:
            parts.append((p, [p.shape[0]]))
    return parts, rest


def run(model, header, batch, wanted=True):
    before, end = torch.tensor(header["before_image"]), torch.tensor(header["vision_end"])
    with torch.autocast("cpu", torch.bfloat16):
        return model(batch.patches, batch.h, batch.w, before, end, batch.ids, batch.offsets, batch.segments, batch.targets >= 0 if wanted else None)


def auxiliary(model, batch, tokens, states):
    """Both heads' cross entropy for what is drawn under each patch, per thing drawn."""
    b, t, labels = batch.marks.shape
    things = batch.marks.sum().clamp(min=1)
    with torch.autocast("cpu", torch.bfloat16):
        patch, token = model.aux_patch(states), model.aux_token(tokens)
    patch, token = (F.binary_cross_entropy_with_logits(x.float().reshape(b, t, labels), batch.marks, reduction="sum") / things for x in (patch, token))
    rows, columns = batch.h // 2, batch.w // 2
    where = ((torch.arange(rows) * 16 + 8) // rows).repeat_interleave(columns), ((torch.arange(columns) * 16 + 8) // columns).repeat(rows)
    with torch.autocast("cpu", torch.bfloat16):
        place = model.aux_place(tokens).float().view(b, rows * columns, 2, 16)
    place = sum(F.cross_entropy(place[:, :, axis].reshape(-1, 16), target.repeat(b)) for axis, target in enumerate(where))
    return patch, token, place


@torch.no_grad()
def check(model, header, batches):
    """Exact match by category: an answer is right where every one of its tokens, the end of the turn too, is the most likely one."""
    asked, right = {}, {}
    for batch in batches:
        logits, _, _ = run(model, header, batch)
        wanted = batch.targets >= 0
        wrong = torch.zeros_like(wanted)
        wrong[wanted] = logits.argmax(-1) != batch.targets[wanted]
        for b in range(len(batch.ids)):
            for segment in range(1, int(batch.segments[b].max()) + 1):
                mine = batch.segments[b] == segment
                category = header["categories"][int(batch.categories[b][mine][0])]
                asked[category] = asked.get(category, 0) + 1
                right[category] = right.get(category, 0) + int(not wrong[b][mine].any())
    scores = {c: right[c] / asked[c] for c in sorted(asked)}
    scores["all"] = sum(right.values()) / sum(asked.values())
    return scores


def main():
    o = arguments()
    torch.manual_seed(1)
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    os.makedirs(o.state, exist_ok=True)
    source = sys.stdin.buffer
    header = read_header(source)
    with open(os.path.join(o.state, "header.json"), "w") as f:
        json.dump(header, f)
    shape = Shape(vocabulary=header["vocabulary"], labels=len(header["labels"]))
    model = Model(shape)
    average = Model(shape)
    average.load_state_dict(model.state_dict())
    parts, rest = split(model)
    muon = Muon(parts)
    adam = torch.optim.AdamW(
        [{"params": [p for p in rest if p.dim() > 1], "weight_decay": 0.05}, {"params": [p for p in rest if p.dim() <= 1], "weight_decay": 0.0}],
        lr=1.0, betas=(0.9, 0.98), fused=True)
    step = 0
    state = os.path.join(o.state, "state.pt")
    if os.path.exists(state):
        saved = torch.load(state, weights_only=True)
        # A head that this version added begins anew, and AdamW's momenta with it.
        whole = not model.load_state_dict(saved["model"], strict=False).missing_keys
        average.load_state_dict(saved["average"], strict=False)
        muon.load(saved["muon"])
        if whole:
            adam.load_state_dict(saved["adam"])
        step = saved["step"]
    with open(o.held_out, "rb") as f:
        if read_header(f) != header:
            raise SystemExit("the held-out batches were written with another vocabulary")
        held_out = []
        while True:
            try:
                held_out.append(read_batch(f, shape.labels, shape.patch))
            except EOFError:
                break
    categories = header["categories"]
    weights = torch.ones(2 * LOOKUP)
    weights[LOOKUP:] = o.lookups
    for item in filter(None, o.weights.split(",")):
        name, value = item.split("=")
        weights[categories.index(name)] = float(value)
    print(f"{sum(p.numel() for n, p in model.named_parameters() if not n.startswith('aux')):,} parameters, {header['vocabulary']} tokens, step {step}", flush=True)

    log = open(os.path.join(o.state, "log.csv"), "a", newline="")
    rows = csv.writer(log)
    ready = prefetch(source, shape.labels, shape.patch)
    live, averaged = list(model.parameters()), list(average.parameters())
    start, began, losses, pictures = time.time(), step, None, 0

    def save():
        torch.save({"model": model.state_dict(), "average": average.state_dict(), "muon": muon.state(), "adam": adam.state_dict(), "step": step}, state + ".partial")
        os.replace(state + ".partial", state)

    while step < o.steps and time.time() - start < o.seconds:
        batch = ready.get()
        if batch is None:
            break
        if batch.index != step:
            raise SystemExit(f"the stream is at batch {batch.index} and the state at {step}: start it with --from {step}")
        scale = min(1.0, (step + 1) / o.warm_up) * min(1.0, max(0.0, (o.steps - step) / max(1, o.steps - o.decay_from)))
        for group in adam.param_groups:
            group["lr"] = o.adam_rate * scale
        logits, tokens, states = run(model, header, batch)
        wanted = batch.targets >= 0
        w = weights[batch.categories[wanted]]
        answer = F.cross_entropy(logits.float(), batch.targets[wanted], reduction="none")
        answers = (answer * w).sum() / w.sum()
        patch, token, place = auxiliary(model, batch, tokens, states)
        (answers + o.aux * (0.5 * patch + token + 0.3 * place)).backward()
        torch.nn.utils.clip_grad_norm_(live, 1.0, foreach=True)
        muon.step(o.rate * scale)
        adam.step()
        for p in live:
            p.grad = None
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(averaged, live, 1 - min(o.average, (step + 1) / (step + 10)))
        pictures += len(batch.ids)
        now = [answers.item(), patch.item(), token.item(), place.item()]
        losses = now if losses is None else [0.98 * a + 0.02 * b for a, b in zip(losses, now)]
        if step % 50 == 0:
            seconds = time.time() - start
            print(f"{seconds:6.0f} s  step {step}  answers {losses[0]:.3f}  patch {losses[1]:.3f}  token {losses[2]:.3f}  place {losses[3]:.3f}  {pictures / seconds:.1f} images/s  rate {scale:.3f}  waiting {ready.qsize()}", flush=True)
        if step % o.check_every == 0 or step == o.steps:
            scores = check(average, header, held_out)
            print("check", step, " ".join(f"{c} {v:.2f}" if c != "all" else f"ALL {v:.3f}" for c, v in scores.items()), flush=True)
            if log.tell() == 0:
                rows.writerow(["step", "images", "seconds", "loss", *scores])
            rows.writerow([step, step * len(batch.ids), round(time.time() - start), round(losses[0], 4), *(round(v, 4) for v in scores.values())])
            log.flush()
        if step % o.save_every == 0:
            save()
    save()


if __name__ == "__main__":
    main()
