"""Pictures of Abstract Scenes (Zitnick and Parikh 2013): clip-art sprites on one background, at three depths.

`draw_plainly` is the rules in a dozen lines. `Renderer` paints the same picture faster: it works on a square canvas
of a whole multiple of the size asked for, at least as wide as the owner's, with sprites squashed once and kept, so
that the last step is a mean over blocks of pixels (`benchmarks/rendering.py` times both and shows the difference).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from telldraw.data.processes import in_processes
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


def empty_canvas(folder: Path) -> Image.Image:
    """The background at 500 x 400, RGB. Raises DataError when it cannot be read."""
    picture = _resize(_open(folder / BACKGROUND), *CANVAS)
    canvas = Image.new("RGB", CANVAS, "white")
    canvas.paste(picture, mask=picture.getchannel("A"))
    return canvas


def sprite_at(folder: Path, name: str, scale: float, flip: bool) -> Image.Image:
    """A sprite at its size on the canvas of 500 x 400, RGBA. Raises DataError when it cannot be read."""
    sprite = _open(folder / name)
    sprite = _resize(sprite, sprite.width * scale, sprite.height * scale)
    return sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else sprite


def draw_plainly(folder: Path, scene: Iterable[Clip]) -> Image.Image:
    """Paint a scene at 500 x 400, the simple and slow way. Raises DataError naming a file that cannot be read."""
    canvas = empty_canvas(folder)
    for clip in in_drawing_order(scene):
        sprite = sprite_at(folder, clip.sprite, SCALES[clip.depth], clip.flip)
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
        self._empty = _resize(empty_canvas(folder), side, side)
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


def _block_of(renderer: Renderer, scenes: Sequence[Scene]) -> np.ndarray:
    return np.stack([renderer.draw(scene) for scene in scenes]).transpose(0, 3, 1, 2).copy()


def draw_all(
    folder: Path, resolution: int, scenes: Sequence[Scene], workers: int, chunk: int = 32
) -> Iterator[np.ndarray]:
    """Paint all scenes, in order, as blocks uint8 [n, 3, resolution, resolution], drawn by `workers` processes.

    Only a few blocks are under way at a time, so memory does not grow with the number of scenes.
    """
    return in_processes(Renderer, (folder, resolution), _block_of, scenes, workers=workers, chunk=chunk)
