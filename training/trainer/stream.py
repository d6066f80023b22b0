"""Reads the batches that `portable-training stream` writes; the layout is described in BatchStream.cs."""
import json
import queue
import struct
import threading
from dataclasses import dataclass

import numpy as np
import torch

MARK = 0x31425450
TO_UNIT = (np.arange(256, dtype=np.float32) / np.float32(127.5) - 1).astype(np.float32)


@dataclass
class Batch:
    index: int
    h: int
    w: int
    patches: torch.Tensor
    ids: torch.Tensor
    targets: torch.Tensor
    offsets: torch.Tensor
    segments: torch.Tensor
    categories: torch.Tensor
    marks: torch.Tensor


def exactly(source, count):
    data = source.read(count)
    if len(data) != count:
        raise EOFError
    return data


def read_header(source):
    return json.loads(source.readline())


def to_patches(pixels, patch):
    """u8 [B,H,W,3] to float [B, patches in merged order, 3*patch*patch] (channel, row, column), normalised to -1..1."""
    b, height, width, _ = pixels.shape
    h, w = height // patch, width // patch
    x = pixels.reshape(b, h // 2, 2, patch, w // 2, 2, patch, 3).transpose(0, 1, 4, 2, 5, 7, 3, 6)
    # In numpy: the reader's thread must not take the cores from the training's own.
    return torch.from_numpy(TO_UNIT[np.ascontiguousarray(x).reshape(b, h * w, -1)])


def read_batch(source, labels, patch):
    mark, index, b, width, height, t, m = struct.unpack("<7i", exactly(source, 28))
    if mark != MARK:
        raise ValueError("the stream is out of step")
    pixels = np.frombuffer(exactly(source, b * height * width * 3), np.uint8).reshape(b, height, width, 3)

    def numbers(kind):
        size = b * t * np.dtype(kind).itemsize
        return torch.from_numpy(np.frombuffer(exactly(source, size), kind).reshape(b, t).astype(np.int64))

    ids, targets, offsets, segments, categories = numbers("<i2"), numbers("<i2"), numbers("<i2"), numbers("u1"), numbers("u1")
    drawn = np.frombuffer(exactly(source, m * 8), "<i2").reshape(m, 4)
    h, w = height // patch, width // patch
    order = np.arange(h * w).reshape(h // 2, w // 2, 2, 2).transpose(0, 2, 1, 3).reshape(h, w)
    marks = np.zeros((b, h * w, labels), np.float32)
    marks[drawn[:, 0], order[drawn[:, 2] // patch, drawn[:, 1] // patch], drawn[:, 3]] = 1
    return Batch(index, h, w, to_patches(pixels, patch), ids, targets, offsets, segments, categories, torch.from_numpy(marks))


def prefetch(source, labels, patch, depth=6):
    ready = queue.Queue(depth)

    def run():
        try:
            while True:
                ready.put(read_batch(source, labels, patch))
        except EOFError:
            ready.put(None)

    threading.Thread(target=run, daemon=True).start()
    return ready
