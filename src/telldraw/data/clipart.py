"""Pictures of Abstract Scenes (Zitnick and Parikh 2013): clip-art sprites on one background, at three depths.

The canvas is 500 x 400. It is drawn at that size with sprites scaled once and kept, then reduced to the square
asked for with an antialiased filter; a scene costs about as much as the reduction alone (`benchmarks/rendering.py`).
"""

import re
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from telldraw.errors import DataError

CANVAS = (500, 400)
"""Width and height of the canvas the coordinates refer to, in pixels; the origin is the top left corner."""
SCALES = (1.0, 0.7, 0.49)
"""Size of a sprite by depth: 0 is near and big, 2 far and small."""
PREFIXES = ("s", "p", "hb0", "hb1", "a", "c", "e", "t")
"""Sprite names by type: sky, large things, boy, girl, animals, clothing, food, toys."""
BACKGROUND = "background.png"

_SKY, _SUN = 0, "s_3s.png"
_SPRITE = re.compile(r"(?:%s)_\d+s\.png" % "|".join(PREFIXES))


class Clip(NamedTuple):
    """One sprite on the canvas."""

    sprite: str  # file name
    slot: int  # place in the list of the scene: later is drawn on top
    kind: int  # index into PREFIXES
    category: int  # class of the object
    x: float  # centre, in pixels of the canvas
    y: float
    depth: int  # index into SCALES
    flip: bool  # mirrored left to right


Scene = tuple[Clip, ...]


def in_drawing_order(scene: Iterable[Clip]) -> list[Clip]:
    """The clips that can be seen, bottom first.

    Sky before everything else, then far before near; the sun lies behind the rest of the sky at its depth. Like the
    owner's viewer this leaves out a clip whose centre lies left of the canvas (x < 0).
    """
    seen = (clip for clip in scene if clip.x >= 0)
    return sorted(seen, key=lambda clip: (clip.kind != _SKY, -clip.depth, clip.sprite != _SUN, clip.slot))


def sprite_names(folder: Path) -> tuple[frozenset[str], list[str]]:
    """Names of the sprites in `folder` that can be read, and a sentence for each that cannot."""
    good, bad = [], []
    for path in sorted(folder.glob("*.png")):
        if not _SPRITE.fullmatch(path.name):
            continue
        try:
            with Image.open(path) as image:
                image.load()
            good.append(path.name)
        except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all three for damaged files
            bad.append(f"{path} cannot be read: {error}")
    return frozenset(good), bad


class Renderer:
    """Draws scenes at one resolution; keeps every scaled sprite it has needed (at most 756, about 40 MB)."""

    def __init__(self, folder: Path, resolution: int) -> None:
        """`folder` holds the sprites and background.png. Raises DataError when the background cannot be read."""
        self.folder, self.resolution = folder, resolution
        path = folder / BACKGROUND
        try:
            with Image.open(path) as image:
                full = image.convert("RGBA").resize(CANVAS, Image.Resampling.LANCZOS)
        except FileNotFoundError:
            raise DataError(f"no {BACKGROUND} in {folder}; it belongs to the owner's pictures") from None
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {error}") from None
        self._background = Image.new("RGB", CANVAS, "white")
        self._background.paste(full, mask=full.getchannel("A"))
        self._scaled = lru_cache(maxsize=None)(self._scale)

    def _scale(self, sprite: str, depth: int, flip: bool) -> tuple[Image.Image, Image.Image]:
        """Colours and coverage of a sprite at its size on the canvas."""
        with Image.open(self.folder / sprite) as image:
            image = image.convert("RGBA")
        if depth:
            size = tuple(max(1, round(side * SCALES[depth])) for side in image.size)
            image = image.resize(size, Image.Resampling.LANCZOS)  # Pillow weighs colours by alpha here
        if flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image.convert("RGB"), image.getchannel("A")

    def full_size(self, scene: Iterable[Clip]) -> Image.Image:
        """The scene at 500 x 400, RGB."""
        canvas = self._background.copy()
        for clip in in_drawing_order(scene):
            colours, coverage = self._scaled(clip.sprite, clip.depth, clip.flip)
            corner = round(clip.x - colours.width / 2), round(clip.y - colours.height / 2)
            canvas.paste(colours, corner, coverage)
        return canvas

    def draw(self, scene: Iterable[Clip]) -> np.ndarray:
        """The scene squashed to a square, uint8 [resolution, resolution, 3]."""
        size = (self.resolution, self.resolution)
        return np.asarray(self.full_size(scene).resize(size, Image.Resampling.HAMMING))


_renderer: Renderer | None = None  # of this worker process


def _start(folder: Path, resolution: int) -> None:
    global _renderer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer; it ends the workers
    _renderer = Renderer(folder, resolution)


def _draw(scenes: Sequence[Scene]) -> np.ndarray:
    assert _renderer is not None
    return np.stack([_renderer.draw(scene) for scene in scenes]).transpose(0, 3, 1, 2).copy()


def draw_all(
    folder: Path, resolution: int, scenes: Sequence[Scene], workers: int, chunk: int = 32
) -> Iterator[np.ndarray]:
    """All scenes, in order, as blocks uint8 [n, 3, resolution, resolution], drawn by `workers` processes.

    Only a few blocks are under way at a time, so memory does not grow with the number of scenes.
    """
    chunks = [scenes[at : at + chunk] for at in range(0, len(scenes), chunk)]
    if workers <= 1 or len(chunks) <= 1:
        renderer = Renderer(folder, resolution)
        for part in chunks:
            yield np.stack([renderer.draw(scene) for scene in part]).transpose(0, 3, 1, 2)
        return
    spawn = get_context("spawn")  # a fork would carry the parent's memory along
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start, initargs=(folder, resolution))
    try:
        waiting: deque[Future[np.ndarray]] = deque()
        for part in chunks:
            waiting.append(pool.submit(_draw, part))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
