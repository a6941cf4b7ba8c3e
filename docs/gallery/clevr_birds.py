"""A sheet of CLEVR birds: pictures of each split, then content and style varied by themselves. All rendered here.

python docs/gallery/clevr_birds.py
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from telldraw.data.clevr.birds import Scene, draw_content, draw_places, draw_style, scene, streams
from telldraw.data.clevr.captions import captions
from telldraw.data.clevr_birds import CAPTIONS, Painter
from telldraw.drawing.sheet import Frame, Strip, contact_sheet

SIDE, COLUMNS, SEED = 144, 6, 0


def strip(title: str, scenes: Iterable[Scene], said: int) -> Strip:
    """Scenes over one of their captions each: number `said`, or number n of the n-th where that is negative."""
    painter, rng = Painter("fast", SIDE, 0), np.random.default_rng(SEED)
    frames = []
    for number, shown in enumerate(scenes):
        caption = captions(rng, shown, CAPTIONS)[said if said >= 0 else number]
        frames.append(Frame(Image.fromarray(painter.draw(shown).transpose(1, 2, 0)), "", caption))
    return Strip(title, frames)


def others(content_of: Iterable[int], style_of: Iterable[int]) -> Iterable[Scene]:
    """Scenes with the content of one picture of the training split and the style of another."""
    for number, (one, other) in enumerate(zip(content_of, style_of, strict=True)):
        content = draw_content(streams(SEED, "train", one)[0], "train")
        style = draw_style(streams(SEED, "train", other)[1])
        yield Scene(content, style, draw_places(np.random.default_rng(number), content, style.camera()))


def main() -> None:
    """Write clevr-birds.png."""
    several = range(20, 20 + COLUMNS)
    strips = [
        strip("train", (scene(SEED, "train", n) for n in range(COLUMNS)), 0),
        strip("val: brown cubes, purple spheres, cyan cylinders", (scene(SEED, "val", n) for n in range(COLUMNS)), 0),
        strip("test: blue cubes, yellow spheres, red cylinders", (scene(SEED, "test", n) for n in range(COLUMNS)), 0),
        strip("one content, six styles, six captions", others([0] * COLUMNS, several), -1),
        strip("one style, six contents", others(several, [7] * COLUMNS), 0),
    ]
    contact_sheet(strips).save(Path(__file__).parent / "clevr-birds.png", optimize=True)


if __name__ == "__main__":
    main()
