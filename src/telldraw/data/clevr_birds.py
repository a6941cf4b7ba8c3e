"""CLEVR birds: solids on floors of all colours with captions that name the solids alone, rendered here.

A set of pictures (`collection.py`) whose content and style are known apart (`clevr/birds.py`), with two tables beside
the labels:

    content   size, colour and shape of each solid by number, -1 where there is no second one; and, of two, whether the
              first is behind the second, and to the right of it
    style     the floor's colour, the lamp, the camera, and where in the picture the solids are; no number where
              there is no second one
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from telldraw.data import rendering
from telldraw.data.archive import Writer
from telldraw.data.clevr.birds import HALVES, SPLITS, Content, Kind, Scene, Style, scene, streams
from telldraw.data.clevr.captions import captions
from telldraw.data.clevr.stage import COLOURS, SHAPES, Solid
from telldraw.data.collection import Table, write_collection
from telldraw.data.rendering import LICENCE

GROUP = 100
"""Pictures in a file."""
CAPTIONS = 10
"""Captions of a picture."""

_FORM = 1  # of the pictures: what changes a pixel changes this

SIZES = tuple(HALVES)
CLASSES = (*SIZES, *COLOURS, *SHAPES)
"""What a picture may be asked for, each by itself; which of them belong together is in the table `content`."""
KINDS = tuple(map(" ".join, product(SIZES, COLOURS, SHAPES)))
"""The same together, "small gray cube" to "large yellow cylinder": 48. No two solids of a picture are of one kind."""
CONTENT = ("size 1", "colour 1", "shape 1", "size 2", "colour 2", "shape 2", "behind", "right")
STYLE = (
    *("floor red", "floor green", "floor blue"),  # reflectance as encoded by sRGB, 0 to 1
    *("lamp right", "lamp behind", "lamp up"),  # unit vector to it, seen by the camera
    *("light strength", "lamp share", "lamp side", "lamp warmth"),
    *("camera azimuth", "camera height", "camera distance"),  # degrees, degrees, units of the stage
    *("across 1", "down 1", "across 2", "down 2"),  # of the middle of each solid, as fractions of the picture
)


class Painter:
    """Draws scenes that each have a setting of their own."""

    def __init__(self, engine: Literal["fast", "mitsuba"], resolution: int, samples: int) -> None:
        """Raises DataError when the engine is not installed."""
        if engine == "mitsuba":
            from telldraw.data.clevr.mitsuba import Renderer as Reference

            self._make: Callable[..., Any] = partial(Reference, resolution, samples=samples)
            self._make()  # says now that it cannot be used
        else:
            from telldraw.data.clevr.fast import Renderer

            self._make = partial(Renderer, resolution)

    def draw(self, shown: Scene) -> np.ndarray:
        """Draw the scene: uint8 [3, H, W]."""
        return self._make(setting=shown.style.setting()).draw(shown.solids).transpose(2, 0, 1)


@dataclass(frozen=True)
class Plan:
    """All that the pictures depend on; a `rendering.Job`."""

    group: ClassVar[int] = GROUP
    what: ClassVar[str] = "pictures"

    train: int
    val: int
    test: int
    resolution: int = 64
    seed: int = 0
    mixed: bool = False
    """Every split has every combination of colour and shape."""
    engine: Literal["fast", "mitsuba"] = "fast"
    samples: int = 128
    """Paths a pixel, of the engine mitsuba."""
    kinds: bool = False
    """The labels are KINDS and not CLASSES; the pictures are the same."""

    @property
    def count(self) -> int:
        """Pictures in all."""
        return self.train + self.val + self.test

    def place(self, row: int) -> tuple[str, int]:
        """Of which split a row is, and its number there."""
        for split in SPLITS:
            own = getattr(self, split)
            if row < own:
                return split, row
            row -= own
        raise IndexError(row)

    def settings(self) -> dict[str, Any]:
        """All of it that a pixel depends on, and the form of the pictures."""
        return {"form": _FORM, **{name: value for name, value in asdict(self).items() if name != "kinds"}}

    def painter(self) -> Painter:
        """Make the engine. Raises DataError when it is not installed."""
        return Painter(self.engine, self.resolution, self.samples)

    def paint(self, engine: Painter, numbers: range) -> tuple[np.ndarray, list[Any]]:
        """Pictures of these rows, uint8 [n, 3, H, W], and their scenes."""
        scenes = [scene(self.seed, *self.place(row), mixed=self.mixed) for row in numbers]
        return np.stack([engine.draw(shown) for shown in scenes]), list(scenes)

    def store(self, engine: Painter, writer: Writer, folder: Path) -> dict[str, int]:
        """Put all groups together as a prepared set; gives how many there are by split."""
        return _store(self, engine, writer, folder)


def _read(record: list[Any], pictures: int) -> list[Scene]:
    """Undo what JSON makes of scenes: lists."""
    if len(record) != pictures:
        raise ValueError("it holds another number of pictures")
    return [
        Scene(
            Content(tuple(Kind(*kind) for kind in kinds), behind, right),
            Style(tuple(floor), tuple(lamp), *rest),
            tuple(Solid(*solid) for solid in solids),
        )
        for (kinds, behind, right), (floor, lamp, *rest), solids in record
    ]


def read_group(folder: Path, group: range) -> tuple[np.ndarray, list[Scene]]:
    """Read a file of a group: pictures uint8 [n, 3, H, W] and their scenes. Raises DataError."""
    return rendering.read_group(folder, group, _read)


# --- what is stored -----------------------------------------------------------------------------------------------


def label(shown: Scene, *, kinds: bool = False) -> np.ndarray:
    """Which of CLASSES are there, uint8 [13], or which of KINDS, uint8 [48]."""
    if kinds:
        there = {" ".join(kind) for kind in shown.content.kinds}
        return np.array([name in there for name in KINDS], np.uint8)
    there = {name for kind in shown.content.kinds for name in kind}
    return np.array([name in there for name in CLASSES], np.uint8)


def content_row(shown: Scene) -> list[int]:
    """The row of the table `content`."""
    kinds, behind, right = shown.content
    numbers = [[SIZES.index(k.size), list(COLOURS).index(k.colour), SHAPES.index(k.shape)] for k in kinds]
    if len(kinds) == 1:
        return [*numbers[0], -1, -1, -1, -1, -1]
    return [*numbers[0], *numbers[1], int(behind), int(right)]


def style_row(shown: Scene) -> list[float]:
    """The row of the table `style`."""
    floor, lamp, *rest = shown.style
    camera = shown.style.camera()
    places = [float(v) for solid in shown.solids for v in camera.project(solid.centre)[:2]]
    return [*floor, *lamp, *rest, *places, *[float("nan")] * (4 - len(places))]


def _store(plan: Plan, engine: Painter, writer: Writer, folder: Path) -> dict[str, int]:
    """Put all groups together."""
    groups = rendering.groups(plan)
    scenes = [shown for group in groups for shown in read_group(folder, group)[1]]
    said = [
        captions(streams(plan.seed, *plan.place(row))[3], shown, CAPTIONS)  # the stream kept for them
        for row, shown in enumerate(scenes)
    ]
    blocks: Iterator[np.ndarray] = (read_group(folder, group)[0] for group in groups)
    tables = {
        "content": Table(CONTENT, np.array([content_row(shown) for shown in scenes], np.int8)),
        "style": Table(STYLE, np.array([style_row(shown) for shown in scenes], np.float32)),
    }
    labels = np.stack([label(shown, kinds=plan.kinds) for shown in scenes])
    with writer:
        write_collection(writer, blocks, labels, _facts(plan), said, tables=tables)
    return {split: getattr(plan, split) for split in SPLITS}


def _facts(plan: Plan) -> dict[str, Any]:
    ends = np.cumsum([0, plan.train, plan.val, plan.test]).tolist()
    return {
        "name": "clevr-birds",
        "licence": LICENCE,
        "url": "",
        "resolution": plan.resolution,
        "channels": 3,
        "classes": list(KINDS if plan.kinds else CLASSES),
        "many": True,
        "splits": {split: [start, stop] for split, start, stop in zip(SPLITS, ends, ends[1:], strict=False)},
        "rendering": plan.settings(),
    }
