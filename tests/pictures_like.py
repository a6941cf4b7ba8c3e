"""A small set of pictures as `telldraw prepare` writes one: bars whose place is their class, with a little noise."""

from pathlib import Path

import numpy as np

from telldraw.data.archive import Writer
from telldraw.data.collection import write_collection

CLASSES = ("left", "middle", "right")


def make_pictures(
    out: Path, *, side: int = 28, channels: int = 1, count: int = 96, many: bool = False, captions: bool = False
) -> Path:
    """Write `count` pictures, a third of each class; two thirds to train on, a sixth each for val and test."""
    rng = np.random.default_rng(0)
    kinds = np.arange(count) % 3
    images = rng.integers(0, 40, (count, channels, side, side), dtype=np.uint8)
    for image, kind in zip(images, kinds, strict=True):
        start = kind * side // 3
        image[:, 2:-2, start + 2 : start + side // 3 - 2] = rng.integers(180, 255)
    labels = np.eye(3, dtype=np.uint8)[kinds]
    if many:
        labels = np.maximum(labels, np.eye(3, dtype=np.uint8)[rng.integers(0, 3, count)])
    said = [[f"a bar on the {CLASSES[kind]}", f"number {n}"] for n, kind in enumerate(kinds)] if captions else None
    facts = {"name": "bars", "licence": "CC0 1.0", "url": "", "resolution": side, "channels": channels, "many": many}
    ends = {"train": [0, 2 * count // 3], "val": [2 * count // 3, 5 * count // 6], "test": [5 * count // 6, count]}
    with Writer(out) as writer:
        write_collection(writer, [images], labels, {**facts, "classes": CLASSES, "splits": ends}, said)
    return out
