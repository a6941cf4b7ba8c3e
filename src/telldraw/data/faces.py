"""Faces drawn here: portraits of known attributes, with exact maps of regions, sketches and captions; CC0.

A set of pictures (`collection.py`) in the form of Multi-Modal CelebA-HQ (Xia et al., CVPR 2021): attributes of CelebA
as labels, ten captions a picture, and two maps, `regions` by the 19 classes of CelebAMask-HQ and `sketch`; and a table

    face      the look, numbers that attributes leave open: pose, skin, light, shapes (`portrait/traits.py`)
"""

from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from telldraw.data import rendering
from telldraw.data.archive import Writer
from telldraw.data.collection import Map, Table, write_collection
from telldraw.data.portrait.canvas import REGIONS
from telldraw.data.portrait.captions import captions
from telldraw.data.portrait.painter import paint
from telldraw.data.portrait.traits import ATTRIBUTES, LOOK, SPLITS, Face, face, streams
from telldraw.data.rendering import LICENCE

GROUP = 100
"""Faces in a file."""
CAPTIONS = 10
"""Captions of a face."""

_FORM = 1  # of the pictures: what changes a pixel changes this
_PLANES = {"image": slice(0, 3), "sketch": 3, "regions": 4}  # of what is painted, in one array


@dataclass(frozen=True)
class Plan:
    """All that the pictures depend on; a `rendering.Job`."""

    group: ClassVar[int] = GROUP
    what: ClassVar[str] = "faces"

    train: int
    val: int
    test: int
    resolution: int = 64
    seed: int = 0

    @property
    def count(self) -> int:
        """Faces in all."""
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
        """All of it, and the form of the pictures."""
        return {"form": _FORM, **asdict(self)}

    def painter(self) -> int:
        """Give the side of the pictures: numpy paints."""
        return self.resolution

    def paint(self, engine: int, numbers: range) -> tuple[np.ndarray, list[Any]]:
        """Pictures, sketches and regions of these rows, uint8 [n, 5, H, W], and their faces."""
        shown = [face(self.seed, *self.place(row)) for row in numbers]
        planes = []
        for one in shown:
            portrait = paint(one, engine)
            planes.append(np.concatenate([portrait.picture, portrait.sketch[None], portrait.regions[None]]))
        return np.stack(planes), [one.record() for one in shown]

    def store(self, engine: int, writer: Writer, folder: Path) -> dict[str, int]:
        """Put all groups together as a prepared set; gives how many there are by split."""
        return _store(self, engine, writer, folder)


def _read(record: list[Any], pictures: int) -> list[Face]:
    """Undo what JSON makes of faces: lists."""
    if len(record) != pictures:
        raise ValueError("it holds another number of pictures")
    return [Face.of(one) for one in record]


def read_group(folder: Path, group: range) -> tuple[np.ndarray, list[Face]]:
    """Read a file of a group: pictures, sketches, regions uint8 [n, 5, H, W] and their faces. Raises DataError."""
    return rendering.read_group(folder, group, _read)


# --- what is stored -----------------------------------------------------------------------------------------------


def label(shown: Face) -> np.ndarray:
    """Which of ATTRIBUTES are true, uint8 [38]."""
    return np.array([shown.has(name) for name in ATTRIBUTES], np.uint8)


def captions_of(plan: Plan, row: int, shown: Face) -> list[str]:
    """The captions of a row, from the stream kept for them."""
    return captions(streams(plan.seed, *plan.place(row))[3], shown, CAPTIONS)


def _store(plan: Plan, engine: int, writer: Writer, folder: Path) -> dict[str, int]:
    """Put all groups together."""
    groups = rendering.groups(plan)
    shown = [one for group in groups for one in read_group(folder, group)[1]]

    def plane(name: str) -> Iterator[np.ndarray]:
        return (read_group(folder, group)[0][:, _PLANES[name]] for group in groups)

    with writer:
        write_collection(
            writer,
            plane("image"),
            np.stack([label(one) for one in shown]),
            _facts(plan),
            [captions_of(plan, row, one) for row, one in enumerate(shown)],
            tables={"face": Table(LOOK, np.array([astuple(one.look) for one in shown], np.float32))},
            maps={"sketch": Map((), plane("sketch")), "regions": Map(REGIONS, plane("regions"))},
        )
    return {split: getattr(plan, split) for split in SPLITS}


def _facts(plan: Plan) -> dict[str, Any]:
    ends = np.cumsum([0, plan.train, plan.val, plan.test]).tolist()
    return {
        "name": "faces",
        "licence": LICENCE,
        "url": "",
        "resolution": plan.resolution,
        "channels": 3,
        "classes": list(ATTRIBUTES),
        "many": True,
        "splits": {split: [start, stop] for split, start, stop in zip(SPLITS, ends, ends[1:], strict=False)},
        "rendering": plan.settings(),
    }
