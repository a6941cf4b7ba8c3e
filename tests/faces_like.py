"""A small set of the form of prepared faces: blots with a bright mouth (smiling) or a band above (a hat)."""

from pathlib import Path

import numpy as np

from telldraw.data.archive import Writer
from telldraw.data.collection import Map, write_collection

ATTRIBUTES = ("Smiling", "Wearing_Hat", "Black_Hair")
REGIONS = ("background", "skin", "mouth", "hat")
SIDE = 16


def make_faces(path: Path, count: int = 48, seed: int = 0) -> Path:
    """Write the set: two thirds to train on, the rest shared by val and test."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (count, len(ATTRIBUTES))).astype(np.uint8)
    images = np.full((count, 3, SIDE, SIDE), 60, np.uint8)
    regions = np.zeros((count, SIDE, SIDE), np.uint8)
    for row, (smiling, hat, black) in enumerate(labels):
        regions[row, 4:14, 4:12], regions[row, 11, 6:10] = 1, 2
        images[row, :, 4:14, 4:12] = 150 + rng.integers(0, 40)
        images[row, :, 11, 6:10] = 250 if smiling else 20
        if hat:
            regions[row, 1:4, 4:12] = 3
            images[row, 0, 1:4, 4:12] = 230
        images[row, 2, :, :3] = 0 if black else 200
    sketch = np.where(regions == np.roll(regions, 1, 1), 255, 0).astype(np.uint8)
    captions = [
        [f"This person is {'' if one[0] else 'not '}smiling.", f"She wears {'a hat' if one[1] else 'no hat'}."]
        for one in labels
    ]
    ends = [0, count * 2 // 3, count * 5 // 6, count]
    facts = {
        **{"name": "faces", "licence": "CC0 1.0", "url": "", "resolution": SIDE, "channels": 3, "many": True},
        **{"classes": list(ATTRIBUTES)},
        "splits": {name: ends[n : n + 2] for n, name in enumerate(("train", "val", "test"))},
    }
    with Writer(path) as writer:
        maps = {"sketch": Map((), sketch), "regions": Map(REGIONS, regions)}
        write_collection(writer, [images], labels, facts, captions, maps=maps)
    return path
