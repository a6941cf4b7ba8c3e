"""What TediGAN is told by in its sheets: a face, a sketch and a map of regions of the test split, as files.

python docs/gallery/tedigan.py faces-64.telldraw FOLDER
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from telldraw.data.collection import Collection

FACE, SKETCH, REGIONS = 1, 8, 10
"""Which pictures of the split, counted from 0."""


def main(prepared: str, folder: str) -> None:
    """Write face.png, sketch.png and regions.png, and regions-seen.png in colours."""
    collection, out = Collection.open(prepared), Path(folder)
    rows = collection.split("test")
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(collection.images[rows[FACE]].transpose(1, 2, 0))).save(out / "face.png")
    for name, number in (("sketch", SKETCH), ("regions", REGIONS)):
        Image.fromarray(np.ascontiguousarray(collection.maps[name].rows[rows[number]])).save(out / f"{name}.png")
    hues = np.random.default_rng(4).integers(60, 250, (19, 3)).astype(np.uint8)
    Image.fromarray(hues[collection.maps["regions"].rows[rows[REGIONS]]]).save(out / "regions-seen.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
