"""Captioned pictures as `telldraw prepare` writes them: a bar, said in several ways by its place and its shade."""

from pathlib import Path

import numpy as np

from telldraw.data.archive import Writer
from telldraw.data.collection import write_collection

PLACES, SHADES = ("left", "middle", "right"), ("dark", "grey", "bright")
SENTENCES = ("a {shade} bar on the {place}", "the {place} has a {shade} bar", "there is a bar, {shade}, {place}")


def make_captioned(out: Path, *, side: int = 28, count: int = 216, classes: bool = True) -> Path:
    """Nine kinds of bar, as their classes if wanted; two thirds to train on, a sixth each for val and test."""
    rng = np.random.default_rng(0)
    kinds = np.arange(count) % 9
    images = rng.integers(0, 30, (count, 1, side, side), dtype=np.uint8)
    for image, kind in zip(images, kinds, strict=True):
        start = kind % 3 * side // 3
        image[:, 2:-2, start + 2 : start + side // 3 - 2] = 80 + 75 * (kind // 3) + rng.integers(0, 25)
    said = [[one.format(place=PLACES[kind % 3], shade=SHADES[kind // 3]) for one in SENTENCES] for kind in kinds]
    names = [f"{shade} {place}" for shade in SHADES for place in PLACES] if classes else []
    ends = {"train": [0, 2 * count // 3], "val": [2 * count // 3, 5 * count // 6], "test": [5 * count // 6, count]}
    facts = {"name": "said bars", "licence": "CC0 1.0", "url": "", "resolution": side, "channels": 1, "many": False}
    with Writer(out) as writer:
        labels = np.eye(9, dtype=np.uint8)[kinds] if classes else np.zeros((count, 0), np.uint8)
        write_collection(writer, [images], labels, {**facts, "classes": names, "splits": ends}, said)
    return out
