"""Names written on a picture: what a detector found, what it missed, what is not there. Pillow only."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont


class Kind(Enum):
    """What came of an object, in the words of the caption."""

    FOUND = "found"
    MISSED = "missed"
    FALSE = "not there"


class Mark(NamedTuple):
    """One object on a picture."""

    x: float  # share of the width
    y: float  # share of the height
    kind: Kind
    name: str


COLOURS = {Kind.FOUND: (0, 110, 40), Kind.MISSED: (205, 20, 30), Kind.FALSE: (30, 60, 220)}
_RADIUS, _SIZE, _PAPER = 4, 13, (255, 255, 255)


def marked(image: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """A copy of the picture with a ring at each object's place, and its name beside it, moved where names would meet."""
    image = image.convert("RGB")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size=_SIZE)
    taken: list[tuple[float, float, float, float]] = []
    for mark in sorted(marks, key=lambda mark: (mark.y, mark.x, mark.name)):
        colour = COLOURS[mark.kind]
        x, y = (min(max(share, 0), 1) * (size - 1) for share, size in zip((mark.x, mark.y), image.size, strict=True))
        ring = (x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS)
        pen.ellipse((ring[0] - 1, ring[1] - 1, ring[2] + 1, ring[3] + 1), outline=_PAPER, width=2)
        pen.ellipse(ring, outline=colour, width=2)
        left, top, right, bottom = font.getbbox(mark.name)
        width, height = right - left + 4, bottom - top + 4
        at = _free(x + _RADIUS + 3, y - height / 2, (width, height), image.size, taken)
        taken.append((at[0], at[1], at[0] + width, at[1] + height))
        pen.rectangle((at[0], at[1], at[0] + width, at[1] + height), fill=_PAPER)
        pen.text((at[0] + 2 - left, at[1] + 2 - top), mark.name, fill=colour, font=font)
    return image


def _free(
    x: float,
    y: float,
    label: tuple[float, float],
    size: tuple[int, int],
    taken: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float]:
    """The place inside the picture nearest to (x, y), straight below or above, where a label covers no other."""
    width, height = label
    x = min(max(x, 0), max(size[0] - width, 0))
    steps = sorted(range(-40, 41), key=lambda step: (abs(step), -step))
    for step in steps:
        top = min(max(y + step * 4, 0), max(size[1] - height, 0))
        if not any(x < r and x + width > l and top < b and top + height > t for l, t, r, b in taken):
            return x, top
    return x, min(max(y, 0), max(size[1] - height, 0))
