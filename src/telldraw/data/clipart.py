"""Pictures of Abstract Scenes (Zitnick and Parikh 2013): clip-art sprites on one background, at three depths.

`draw_plainly` is the rules in a dozen lines. `Renderer` paints the same picture faster: it works on a square canvas
of a whole multiple of the size asked for, at least as wide as the owner's, with sprites squashed once and kept, so
that the last step is a mean over blocks of pixels (`benchmarks/rendering.py` times both and shows the difference).
"""

import math
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
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
    """Give the clips that can be seen, bottom first.

    Sky before everything else, then far before near; the sun lies behind the rest of the sky at its depth. Like the
    owner's viewer this leaves out a clip whose centre lies left of the canvas (x < 0).
    """
    seen = (clip for clip in scene if clip.x >= 0)
    return sorted(seen, key=lambda clip: (clip.kind != _SKY, -clip.depth, clip.sprite != _SUN, clip.slot))


def damaged_sprites(folder: Path) -> frozenset[str]:
    """Name the sprites in `folder` that are there but cannot be read."""
    return frozenset(path.name for path in folder.glob("*_*s.png") if not _readable(path))


def _readable(path: Path) -> bool:
    try:
        _open(path)
    except DataError:
        return False
    return True


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert("RGBA")
    except FileNotFoundError:
        raise DataError(f"there is no {path}; it belongs to the owner's pictures") from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all three for damaged files
        raise DataError(f"{path} cannot be read ({error}); get it again") from None


def _resize(image: Image.Image, width: float, height: float) -> Image.Image:
    size = max(1, round(width)), max(1, round(height))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)  # weighs colours by alpha


def _background(folder: Path) -> Image.Image:
    picture = _resize(_open(folder / BACKGROUND), *CANVAS)
    canvas = Image.new("RGB", CANVAS, "white")
    canvas.paste(picture, mask=picture.getchannel("A"))
    return canvas


def draw_plainly(folder: Path, scene: Iterable[Clip]) -> Image.Image:
    """Paint a scene at 500 x 400, the simple and slow way. Raises DataError naming a file that cannot be read."""
    canvas = _background(folder)
    for clip in in_drawing_order(scene):
        sprite = _open(folder / clip.sprite)
        sprite = _resize(sprite, sprite.width * SCALES[clip.depth], sprite.height * SCALES[clip.depth])
        if clip.flip:
            sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        canvas.paste(sprite, (round(clip.x - sprite.width / 2), round(clip.y - sprite.height / 2)), sprite)
    return canvas


class Renderer:
    """Paints scenes at one resolution; keeps every squashed sprite it has needed, at most some 50 MB."""

    def __init__(self, folder: Path, resolution: int) -> None:
        """`folder` holds the sprites and background.png. Raises DataError when the background cannot be read."""
        self.folder, self.resolution = folder, resolution
        self.block = max(1, math.ceil(CANVAS[0] / resolution))  # pixels of the work canvas in one of the picture
        side = resolution * self.block
        self._ratio = side / CANVAS[0], side / CANVAS[1]
        self._empty = _resize(_background(folder), side, side)
        self._sprites: dict[tuple[str, int, bool], tuple[Image.Image, Image.Image]] = {}

    def _sprite(self, name: str, depth: int, flip: bool) -> tuple[Image.Image, Image.Image]:
        """Colours and coverage of a sprite at its size on the work canvas."""
        if (name, depth, flip) not in self._sprites:
            image = _open(self.folder / name)
            across, down = (SCALES[depth] * ratio for ratio in self._ratio)
            image = _resize(image, image.width * across, image.height * down)
            if flip:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            self._sprites[name, depth, flip] = image.convert("RGB"), image.getchannel("A")
        return self._sprites[name, depth, flip]

    def draw(self, scene: Iterable[Clip]) -> np.ndarray:
        """Paint the scene squashed to a square: uint8 [resolution, resolution, 3]."""
        canvas, (across, down) = self._empty.copy(), self._ratio
        for clip in in_drawing_order(scene):
            colours, coverage = self._sprite(clip.sprite, clip.depth, clip.flip)
            corner = round(clip.x * across - colours.width / 2), round(clip.y * down - colours.height / 2)
            canvas.paste(colours, corner, coverage)
        return np.asarray(canvas.reduce(self.block))


# --- many scenes --------------------------------------------------------------------------------------------------

_renderer: Renderer | None = None  # of this worker process


def _start(folder: Path, resolution: int) -> None:
    global _renderer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer; it ends the workers
    Thread(target=_end_with_parent, daemon=True).start()
    _renderer = Renderer(folder, resolution)


def _end_with_parent() -> None:
    """Wait for the parent: one that is killed cannot end its workers, and they would wait for work for ever."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _draw(scenes: Sequence[Scene]) -> np.ndarray:
    assert _renderer is not None
    return _block_of(_renderer, scenes)


def _block_of(renderer: Renderer, scenes: Sequence[Scene]) -> np.ndarray:
    return np.stack([renderer.draw(scene) for scene in scenes]).transpose(0, 3, 1, 2).copy()


def draw_all(
    folder: Path, resolution: int, scenes: Sequence[Scene], workers: int, chunk: int = 32
) -> Iterator[np.ndarray]:
    """Paint all scenes, in order, as blocks uint8 [n, 3, resolution, resolution], drawn by `workers` processes.

    Only a few blocks are under way at a time, so memory does not grow with the number of scenes.
    """
    chunks = [scenes[at : at + chunk] for at in range(0, len(scenes), chunk)]
    if workers <= 1 or len(chunks) <= 1:
        renderer = Renderer(folder, resolution)
        for part in chunks:
            yield _block_of(renderer, part)
        return
    spawn = get_context("spawn")  # a fork would carry the parent's memory along
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start, initargs=(folder, resolution))
    waiting: deque[Future[np.ndarray]] = deque()
    try:
        for part in chunks:
            waiting.append(pool.submit(_draw, part))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise DataError("a drawing process was ended from outside, perhaps for memory; use fewer --workers") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
