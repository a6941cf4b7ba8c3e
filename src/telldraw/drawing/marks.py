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
Box = tuple[float, float, float, float]  # left, top, right, bottom


def marked(image: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """A copy with a ring at each object's place and its name beside it, moved up or down where names would meet."""
    image = image.convert("RGB")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size=_SIZE)
    width, height = image.size
    places = [(min(max(mark.x, 0), 1) * (width - 1), min(max(mark.y, 0), 1) * (height - 1)) for mark in marks]
    taken: list[Box] = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    for (x, y), mark in zip(places, marks, strict=True):
        colour = COLOURS[mark.kind]
        for radius, ink in ((_RADIUS + 1, _PAPER), (_RADIUS, colour)):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=ink, width=2)
        left, top, right, bottom = font.getbbox(mark.name)
        box = _free(x, y, (right - left + 4, bottom - top + 4), image.size, taken)
        taken.append(box)
        pen.rectangle(box, fill=_PAPER)
        pen.text((box[0] + 2 - left, box[1] + 2 - top), mark.name, fill=colour, font=font)
    return image


def _free(x: float, y: float, label: tuple[float, float], size: tuple[int, int], taken: Sequence[Box]) -> Box:
    """The box for a label inside the picture, beside (x, y) or as little above or below as keeps it off the others."""
    width, height = label
    sides = [left for left in (x + _RADIUS + 3, x - _RADIUS - 3 - width) if 0 <= left <= size[0] - width]
    heights = sorted(range(-size[1], size[1], 4), key=lambda step: (abs(step), -step))
    boxes = [
        (left, top, left + width, top + height)
        for step in heights
        for left in sides or [max(min(x, size[0] - width), 0)]
        if 0 <= (top := y - height / 2 + step) <= size[1] - height
    ]
    clear = (box for box in boxes if not any(_meet(box, other) for other in taken))
    return next(clear, boxes[0] if boxes else (0, 0, width, height))


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
