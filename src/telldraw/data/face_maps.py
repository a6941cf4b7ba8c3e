"""What lies beside a picture of a face: a map of its regions, in one file or in one a part, and a sketch."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from telldraw.data.pictures import UNREADABLE, reason
from telldraw.errors import DataError

Colour = tuple[int, int, int]


class Numbers(NamedTuple):
    """A map of regions in one file, whose values are numbers of regions, or colours that stand for them."""

    file: Path
    becomes: tuple[int, ...]
    """The region that each number of the file stands for."""
    colours: tuple[Colour, ...] = ()
    """The colour of each of those numbers, where a file has colours."""


class Parts(NamedTuple):
    """A map of regions that is merged from masks of its parts, files NUMBER_PART.png: not black where the part is."""

    folder: Path
    number: str
    parts: tuple[str, ...]
    """In the order of merging: later ones lie over earlier ones."""
    becomes: tuple[int, ...]
    """The region that each of them is."""


class Sketch(NamedTuple):
    """A sketch in a file: white paper, dark lines."""

    file: Path


class Derived(NamedTuple):
    """A sketch that is derived from the picture itself."""


Source = Numbers | Parts | Sketch | Derived


def read_map(source: Numbers | Parts | Sketch) -> Image.Image:
    """A map as it lies there, one number a place, 8 bits. Raises DataError naming the file."""
    if isinstance(source, Sketch):
        drawn = _opened(source.file, "the sketches")
        if "A" in drawn.getbands() or "transparency" in drawn.info:
            drawn = drawn.convert("RGBA")
            drawn = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn)
        return drawn.convert("L")
    return Image.fromarray(_merged(source) if isinstance(source, Parts) else _numbered(source))


def _opened(file: Path, what: str) -> Image.Image:
    try:
        with Image.open(file) as opened:
            opened.load()
            return opened.copy()
    except FileNotFoundError:
        raise DataError(f"{file} is missing; unpack {what} again") from None
    except UNREADABLE as error:
        raise DataError(f"{file} is not a picture that can be read: {reason(error)}") from None


def _merged(source: Parts) -> np.ndarray:
    """uint8 [H, W]."""
    whole: np.ndarray | None = None
    for part, region in zip(source.parts, source.becomes, strict=True):
        file = source.folder / f"{source.number}_{part}.png"
        there = np.asarray(_opened(file, "the masks").convert("L")) > 0
        if whole is None:
            whole = np.zeros(there.shape, np.uint8)
        if there.shape != whole.shape:
            sizes = (f"{mask.shape[1]}x{mask.shape[0]}" for mask in (there, whole))
            raise DataError(f"{file} is {next(sizes)} and the {source.parts[0]} {next(sizes)}; unpack the masks again")
        whole[there] = region
    assert whole is not None  # no reader gives a face without parts
    return whole


def _numbered(source: Numbers) -> np.ndarray:
    """uint8 [H, W]."""
    file, image = source.file, _opened(source.file, "the masks")
    if source.colours:
        values = _of_colours(file, np.asarray(image.convert("RGB")), source.colours)
    else:
        values = np.asarray(image).astype(np.int64)
        if values.ndim == 3 and (values[..., :3] != values[..., :1]).any():
            raise DataError(
                f"{file} is in colour, and numbers of regions are wanted; take the masks, not pictures of them"
            )
        values = values[..., 0] if values.ndim == 3 else values
    if odd := sorted(set(np.unique(values).tolist()) - set(range(len(source.becomes)))):
        raise DataError(
            f"{file} has a region {odd[0]}, and there are 0 to {len(source.becomes) - 1}; take the masks as their "
            "owner numbers them"
        )
    return np.array(source.becomes, np.uint8)[values]


def _of_colours(file: Path, pixels: np.ndarray, colours: Sequence[Colour]) -> np.ndarray:
    """int64 [H, W]: which of the colours each place has."""
    code = pixels.astype(np.int64) @ (65536, 256, 1)
    values = np.full(code.shape, -1)
    for number, colour in enumerate(colours):
        values[code == np.array(colour) @ (65536, 256, 1)] = number
    if (values < 0).any():
        y, x = (axis[0] for axis in np.nonzero(values < 0))
        red, green, blue = pixels[y, x].tolist()
        raise DataError(
            f"{file} has the colour {red}, {green}, {blue} at {x}, {y}, which stands for no region; take the masks as "
            "their owner distributes them"
        )
    return values
