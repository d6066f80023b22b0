"""The training program's own logits (float32) for ten held-out questions, for comparison with what Portable computes from the exported model."""
import json
import os
import sys

import numpy as np
import torch
from PIL import Image

from export import load
from stream import read_batch, read_header

QUESTIONS = 10


def pixels(batch, row, patch):
    x = batch.patches[row].view(batch.h // 2, batch.w // 2, 2, 2, 3, patch, patch)
    x = x.permute(0, 2, 5, 1, 3, 6, 4).reshape(batch.h * patch, batch.w * patch, 3)
    return ((x + 1) * 127.5).round().byte().numpy()


def main():
    state, held_out, folder = sys.argv[1:]
    model, header = load(state)
    os.makedirs(folder, exist_ok=True)
    questions = []
    with open(held_out, "rb") as f, torch.no_grad():
        read_header(f)
        while len(questions) < QUESTIONS:
            batch = read_batch(f, model.shape.labels, model.shape.patch)
            row, number = len(questions) % len(batch.ids), len(questions)
            # The prompt of the row's first question: up to the first token that has a target.
            length = int((batch.targets[row] >= 0).nonzero()[0]) + 1
            before, after = header["before_image"], header["after_image"]
            ids = batch.ids[row:row + 1, :length]
            logits, _, _ = model(batch.patches[row:row + 1], batch.h, batch.w, torch.tensor(before), torch.tensor(after), ids,
                                 batch.offsets[row:row + 1, :length], torch.ones_like(ids))
            Image.fromarray(pixels(batch, row, model.shape.patch)).save(f"{folder}/q{number}.png")
            logits[0, -1].numpy().astype("<f4").tofile(f"{folder}/q{number}.f32")
            prompt = before + header["image"] * (batch.h * batch.w // 4) + after + ids[0].tolist()
            questions.append({"image": f"q{number}.png", "token_ids": prompt, "logits_file": f"q{number}.f32"})
    with open(f"{folder}/questions.json", "w") as f:
        json.dump({"questions": questions}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
