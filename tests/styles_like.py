"""Captioned pictures whose style is known, as `telldraw prepare` writes them: a square on a floor, in colour."""

from pathlib import Path

import numpy as np

from telldraw.data.archive import Writer
from telldraw.data.collection import Table, write_collection

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 180, 30)}
STYLE = ("floor red", "floor green", "floor blue", "across 1", "down 1", "across 2", "down 2")


def make_styled(out: Path, *, side: int = 16, count: int = 120) -> Path:
    """One square each on a floor of any bright colour, at any place; every third picture has a second one.

    Half of them are for training, a tenth for val, the rest for test. Captions name the colour of the first.
    """
    rng = np.random.default_rng(0)
    floors, places = rng.uniform(0.4, 1, (count, 3)), rng.uniform(0.25, 0.75, (count, 4))
    places[np.arange(count) % 3 > 0, 2:] = np.nan
    kinds = rng.integers(0, len(COLOURS), count)
    images = np.empty((count, 3, side, side), np.uint8)
    for image, floor, kind, place in zip(images, floors, kinds, places, strict=True):
        image[:] = np.rint(255 * floor)[:, None, None]
        for across, down in place.reshape(2, 2)[: 1 + np.isfinite(place[2])]:
            left, top = int(across * side) - 2, int(down * side) - 2
            image[:, top : top + 4, left : left + 4] = np.array(list(COLOURS.values())[kind])[:, None, None]
    said = [[f"a {list(COLOURS)[kind]} square", f"the square is {list(COLOURS)[kind]}"] for kind in kinds]
    ends = {"train": [0, count // 2], "val": [count // 2, 3 * count // 5], "test": [3 * count // 5, count]}
    facts = {"name": "squares", "licence": "CC0 1.0", "url": "", "resolution": side, "channels": 3, "many": False}
    rows = np.concatenate([floors, places], 1).astype(np.float32)
    with Writer(out) as writer:
        write_collection(
            writer,
            [images],
            np.eye(len(COLOURS), dtype=np.uint8)[kinds],
            {**facts, "classes": list(COLOURS), "splits": ends},
            said,
            tables={"style": Table(STYLE, rows)},
        )
    return out
