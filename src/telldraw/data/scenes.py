"""Scenes of CoDraw: the owner's scene strings, and what is on the canvas by class."""

import math
from functools import lru_cache

import numpy as np

from telldraw.data.clipart import CANVAS, PREFIXES, SCALES, Clip, Scene

CLASSES = tuple(
    "helicopter hotairballoon cloud sun lightning rain rocket airplane bouncy slide sandbox grill swing tent table "
    "pinetree oaktree appletree boy girl bear cat dog duck owl snake baseballcap crown chefhat piratehat wintercap "
    "bennie wizardhat vikinghat purpleglasses sunglasses pie pizza hotdog ketchup mustard hamburger soda baseball pail "
    "beachball basketball soccerball tennisball football frisbee baseballbat balloons baseballglove shovel "
    "tennisracket kite fire".split()
)
"""The 58 kinds of object; all poses of the boy are one kind, and all of the girl."""

_FIRST_CLASS = (0, 8, 18, 19, 20, 26, 36, 43)  # by type
_SPRITES = (8, 10, 35, 35, 6, 10, 7, 15)  # how many each type has
_BOY, _GIRL = 2, 3
_FIELDS = ("slot", "index", "type", "x", "y", "depth", "flip")  # after the name of the picture
_UNUSED = "-10000"  # x of an object that still lies in the Drawer's tray
_FAR = 1000.0  # beyond this a coordinate is no place on or near the canvas


def parse_scene(text: str) -> Scene:
    """Read the objects on the canvas from the owner's scene string: a count, then eight fields for each.

    The fields are sprite, slot, index in its type, type, x, y, depth, flip; an object with x = -10000 lies in the
    tray and is left out. Raises ValueError saying what is wrong.
    """
    fields = text.rstrip(",").split(",")
    if not fields[0].isdecimal():
        raise ValueError(f"a scene starts with the number of its objects, not {fields[0][:20]!r}")
    count = int(fields[0])
    if len(fields) != 1 + 8 * count:
        raise ValueError(f"a scene of {count} objects has {1 + 8 * count} fields, this one {len(fields)}")
    return tuple(_clip(tuple(fields[at : at + 8])) for at in range(1, len(fields), 8) if not _in_tray(fields[at + 4]))


def _in_tray(x: str) -> bool:
    return x == _UNUSED or _number(x, "x") == float(_UNUSED)  # the first for speed: most of 2 million are that


def _number(field: str, name: str) -> float:
    try:
        value = float(field)
    except ValueError:
        raise ValueError(f"{name} is {field[:20]!r}, not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is {field[:20]!r}, not a number")
    return value


@lru_cache(maxsize=256)  # a round repeats most objects of the one before, and they can share one value
def _clip(fields: tuple[str, ...]) -> Clip:
    sprite = fields[0]
    slot, index, kind, x, y, depth, flip = map(_number, fields[1:], _FIELDS)
    if kind not in range(len(PREFIXES)) or index not in range(_SPRITES[int(kind)]):
        raise ValueError(f"there is no object {fields[2]} of type {fields[3]}")
    if sprite != f"{PREFIXES[int(kind)]}_{int(index)}s.png":
        raise ValueError(f"the picture {sprite[:40]!r} is not that of object {fields[2]} of type {fields[3]}")
    if depth not in range(len(SCALES)) or flip not in (0, 1):
        raise ValueError(f"depth {fields[6]} and flip {fields[7]} of {sprite} should be 0, 1 or 2, and 0 or 1")
    if abs(x) > _FAR or abs(y) > _FAR:
        raise ValueError(f"{sprite} lies far outside the canvas, at {fields[4]}, {fields[5]}")
    category = _FIRST_CLASS[int(kind)] + (0 if kind in (_BOY, _GIRL) else int(index))
    return Clip(sprite, int(slot), int(kind), category, x, y, int(depth), bool(flip))


def present(scene: Scene) -> np.ndarray:
    """Mark the classes on the canvas, uint8 [58]."""
    bag = np.zeros(len(CLASSES), np.uint8)
    bag[[clip.category for clip in scene]] = 1
    return bag


def positions(scene: Scene) -> np.ndarray:
    """Give x / 500, y / 400 and depth / 2 of each class, float32 [58, 3]; 0 where absent."""
    table = np.zeros((len(CLASSES), 3), np.float32)
    for clip in scene:
        table[clip.category] = clip.x / CANVAS[0], clip.y / CANVAS[1], clip.depth / 2
    return table
