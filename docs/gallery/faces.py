"""A sheet of drawn faces: the first ones of the training split, their maps, and one face with attributes changed.

python docs/gallery/faces.py
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from telldraw.data.faces import CAPTIONS
from telldraw.data.portrait.captions import captions
from telldraw.data.portrait.painter import Portrait, paint
from telldraw.data.portrait.traits import CELEBA, HAIR, Face, face, streams
from telldraw.drawing.sheet import Frame, Strip, contact_sheet

SIDE, COLUMNS, SEED = 144, 6, 0
CHANGES = {
    "as it is": ((), ()),
    "Gray_Hair": (("Gray_Hair",), HAIR),
    "Eyeglasses": (("Eyeglasses",), ()),
    "Smiling": (("Smiling", "Mouth_Slightly_Open"), ()),
    "Wearing_Hat": (("Wearing_Hat",), ()),
    "all four": (("Gray_Hair", "Eyeglasses", "Smiling", "Mouth_Slightly_Open", "Wearing_Hat"), HAIR),
}


def changed(shown: Face, added: tuple[str, ...], taken: tuple[str, ...]) -> Face:
    """The same face with some attributes more and some less."""
    true = (set(shown.attributes) - set(taken)) | set(added)
    return replace(shown, attributes=tuple(name for name in CELEBA if name in true))


def frame(pixels: np.ndarray, caption: str) -> Frame:
    """Of colours [3, H, W] or of gray [H, W]."""
    picture = pixels.transpose(1, 2, 0) if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
    return Frame(Image.fromarray(np.ascontiguousarray(picture)), "", caption)


def forms(portrait: Portrait) -> list[Frame]:
    """Picture, sketch, and regions in colours of their own."""
    hues = np.random.default_rng(4).integers(60, 250, (19, 3)).astype(np.uint8)
    hues[0] = 245
    regions = hues[portrait.regions].transpose(2, 0, 1)
    return [frame(portrait.picture, ""), frame(portrait.sketch, "sketch"), frame(regions, "regions")]


def main() -> None:
    """Write faces.png."""
    said = [
        (face(SEED, "train", n), captions(streams(SEED, "train", n)[3], face(SEED, "train", n), CAPTIONS))
        for n in range(2 * COLUMNS)
    ]
    rows = [
        [frame(paint(shown, SIDE).picture, own[n % CAPTIONS]) for n, (shown, own) in enumerate(said[at : at + COLUMNS])]
        for at in (0, COLUMNS)
    ]
    two = [part for n in (26, 47) for part in forms(paint(face(SEED, "val", n), SIDE))]
    bare = changed(face(SEED, "test", 50), (), ("Eyeglasses", "Smiling", "Wearing_Hat"))
    edits = [frame(paint(changed(bare, *how), SIDE).picture, name) for name, how in CHANGES.items()]
    strips = [
        Strip("the first twelve of the split train, a caption each", rows[0]),
        Strip("", rows[1]),
        Strip("two of val with their maps", two),
        Strip("one face, other attributes", edits),
    ]
    contact_sheet(strips).save(Path(__file__).parent / "faces.png", optimize=True)


if __name__ == "__main__":
    main()
