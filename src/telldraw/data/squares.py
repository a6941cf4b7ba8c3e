"""Photographs as squares, and what lies beside them cut out alike."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from telldraw.data.face_maps import Derived, Sketch, Source, read_map
from telldraw.data.pictures import UNREADABLE, opaque, reason
from telldraw.data.sketches import sketch_of, worked_on
from telldraw.errors import DataError

Fit = Literal["crop", "stretch", "box", "pad"]
Box = tuple[float, float, float, float]
_SMOOTH, _NEAREST = Image.Resampling.BICUBIC, Image.Resampling.NEAREST


class Squares(NamedTuple):
    """How photographs become squares: what one process needs."""

    side: int
    fit: Fit

    def read(self, file: Path, box: Box | None = None, maps: Sequence[Source] = ()) -> np.ndarray:
        """uint8 [3 + M, side, side]: the picture, then a plane for each of its maps. Raises DataError naming a file."""
        try:
            with Image.open(file) as opened:
                image = opaque(opened).convert("RGB")
        except UNREADABLE as error:
            raise DataError(f"{file} is not a picture that can be read: {reason(error)}") from None
        if self.fit == "box" and box is not None:
            _check(box, file, image)
        paper = _surroundings(image) if self.fit == "pad" else None
        planes = [np.asarray(self._square(image, box, _SMOOTH, paper)).transpose(2, 0, 1)]
        for source in maps:
            planes.append(np.asarray(self._map(source, file, image, box))[None])
        return np.concatenate(planes)

    def _map(self, source: Source, file: Path, image: Image.Image, box: Box | None) -> Image.Image:
        """Cut out as the picture is, whatever its own size."""
        if isinstance(source, Derived):
            return self._derived(image, box)
        found = read_map(source)
        if abs(found.width * image.height - found.height * image.width) > max(image.size) + max(found.size):
            name = getattr(source, "file", None) or f"the mask of {file.stem}"
            raise DataError(
                f"{name} is {found.width}x{found.height} and its picture {image.width}x{image.height}, another shape; "
                "take both of one release"
            )
        if box is not None:
            across, down = found.width / image.width, found.height / image.height
            box = box[0] * across, box[1] * down, box[2] * across, box[3] * down
        if isinstance(source, Sketch):
            return self._square(found, box, _SMOOTH, 255)
        return self._square(found, box, _NEAREST, 0)

    def _derived(self, image: Image.Image, box: Box | None) -> Image.Image:
        """A sketch derived from what the square shows, without the border that --fit pad adds."""
        side = worked_on(self.side)
        size = (side, side)
        if self.fit == "pad":
            drawn = ImageOps.pad(sketch_of(ImageOps.contain(image, size, _SMOOTH)), size, _SMOOTH, color=255)
        else:
            drawn = sketch_of(self._replace(side=side)._square(image, box, _SMOOTH, None))
        return drawn.resize((self.side, self.side), _SMOOTH)

    def _square(
        self, image: Image.Image, box: Box | None, way: Image.Resampling, border: int | tuple[int, ...] | None
    ) -> Image.Image:
        size = (self.side, self.side)
        if self.fit == "box" and box is not None:
            # as StackGAN does: half a side is 3/4 of the box's longer side, cut off where the photograph ends
            x, y, half = box[0] + box[2] / 2, box[1] + box[3] / 2, 0.75 * max(box[2:])
            ends = max(0.0, x - half), max(0.0, y - half), min(image.width, x + half), min(image.height, y + half)
            return image.resize(size, way, box=ends)
        if self.fit == "pad":
            return ImageOps.pad(image, size, way, color=border)
        return ImageOps.fit(image, size, way) if self.fit == "crop" else image.resize(size, way)

    def read_all(self, pictures: Sequence[tuple[Path, Box | None, Sequence[Source]]]) -> list[np.ndarray | str]:
        """`read` of each, or the sentence that says why it cannot be read."""
        read: list[np.ndarray | str] = []
        for file, box, maps in pictures:
            try:
                read.append(self.read(file, box, maps))
            except DataError as error:
                read.append(str(error))
        return read


def _check(box: Box, file: Path, image: Image.Image) -> None:
    """Raise DataError for a box that is none, or of which the picture does not show so much as a pixel."""
    (left, top, width, height), known = box, all(map(math.isfinite, box))
    across = min(left + width, image.width) - max(left, 0)
    down = min(top + height, image.height) - max(top, 0)
    if not (known and across >= 1 and down >= 1):
        raise DataError(
            f"{file} is {image.width}x{image.height}, and its box (left {left:g}, top {top:g}, width {width:g}, height "
            f"{height:g}) is not in it; unpack the boxes again, or choose another --fit"
        )


def _surroundings(image: Image.Image) -> tuple[int, ...]:
    """The colour of the upper half of its edges, where a face's picture shows what is behind: a border's colour."""
    pixels = np.asarray(image)
    upper = pixels[: max(1, len(pixels) // 2)]
    return tuple(np.median(np.concatenate([upper[:, 0], upper[:, -1], upper[0]]), axis=0).astype(int).tolist())
