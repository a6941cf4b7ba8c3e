"""Sequences in the manner of i-CLEVR, rendered here (`rendering.py`)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from telldraw.data import rendering
from telldraw.data.archive import Writer
from telldraw.data.clevr.sequences import Turn, sequence
from telldraw.data.clevr.stage import CANVAS, CLASSES, Solid
from telldraw.data.iclevr_store import SPLITS, Story, told, write_tables
from telldraw.data.rendering import LICENCE

Engine = Literal["fast", "mitsuba"]

GROUP = 25
"""Sequences in a file."""

_FORM = 1  # of the pictures: what changes a pixel changes this


class Painter(Protocol):
    """An engine."""

    def draw(self, solids: Sequence[Solid]) -> np.ndarray:
        """Draw the scene: uint8 [height, width, 3]."""
        ...


@dataclass(frozen=True)
class Plan:
    """All that the pictures depend on; a `rendering.Job`."""

    group: ClassVar[int] = GROUP
    what: ClassVar[str] = "sequences"

    train: int
    val: int
    test: int
    resolution: int = 64
    seed: int = 0
    edits: bool = False
    engine: Engine = "fast"
    samples: int = 128
    """Paths a pixel, of the engine mitsuba."""

    @property
    def count(self) -> int:
        """Sequences in all."""
        return self.train + self.val + self.test

    def split(self, number: int) -> str:
        """Which split a sequence belongs to: train has the first ones, test the last."""
        return "train" if number < self.train else "val" if number < self.train + self.val else "test"

    def settings(self) -> dict[str, Any]:
        """All of it, and the form of the pictures."""
        return {"form": _FORM, **asdict(self)}

    def painter(self) -> Painter:
        """Make the engine. Raises DataError when it is not installed."""
        if self.engine == "mitsuba":
            from telldraw.data.clevr.mitsuba import Renderer as Reference

            return Reference(self.resolution, samples=self.samples)
        from telldraw.data.clevr.fast import Renderer

        return Renderer(self.resolution)

    def paint(self, engine: Painter, numbers: range) -> tuple[np.ndarray, list[Any]]:
        """Pictures of the turns of these sequences, uint8 [n, 3, H, W], and their instructions and solids."""
        stories = [sequence(self.seed, number, edits=self.edits) for number in numbers]
        pictures = np.stack([engine.draw(turn.solids) for turns in stories for turn in turns])
        record = [[[turn.said, *(list(solid) for solid in turn.solids)] for turn in turns] for turns in stories]
        return pictures.transpose(0, 3, 1, 2), record

    def store(self, engine: Painter, writer: Writer, folder: Path) -> dict[str, int]:
        """Put all groups together as a prepared set; gives how many there are by split."""
        return _store(self, engine, writer, folder)


def _read(record: list[Any], pictures: int) -> list[list[Turn]]:
    stories = [[Turn(said, tuple(Solid(*s) for s in solids)) for said, *solids in turns] for turns in record]
    if sum(map(len, stories)) != pictures:
        raise ValueError("it holds another number of pictures")
    return stories


def read_group(folder: Path, group: range) -> tuple[np.ndarray, list[list[Turn]]]:
    """Read a file of a group: pictures uint8 [n, 3, H, W], and the turns of each sequence. Raises DataError."""
    return rendering.read_group(folder, group, _read)


def _store(plan: Plan, engine: Painter, writer: Writer, folder: Path) -> dict[str, int]:
    """Put all groups together."""
    groups = rendering.groups(plan)
    stories = []
    for group in groups:
        for number, turns in zip(group, read_group(folder, group)[1], strict=True):
            split = plan.split(number)
            stories.append(Story(f"{split}_{number:06d}", split, [told(turn.said, turn.solids) for turn in turns]))
    counts = {split: sum(len(s.turns) for s in stories if s.split == split) for split in SPLITS}
    with writer:
        vocabulary = write_tables(writer, stories)
        side = plan.resolution
        blocks = (read_group(folder, group)[0] for group in groups)
        writer.rows("images.npy", (sum(counts.values()), 3, side, side), np.uint8, blocks)
        writer.array("background.npy", engine.draw(()))
        writer.finish(_facts(plan, counts, len(vocabulary)))
    return counts


def _facts(plan: Plan, turns: dict[str, int], words: int) -> dict[str, Any]:
    return {
        "name": "iclevr",
        "licence": LICENCE,
        "url": "https://github.com/facebookresearch/clevr-dataset-gen",
        "protocol": "rendered with edits" if plan.edits else "rendered",
        "resolution": plan.resolution,
        "canvas": list(CANVAS),
        "axes": ["x", "y"],
        "classes": list(CLASSES),
        "dialogues": {split: getattr(plan, split) for split in SPLITS},
        "turns": turns,
        "words": words,
        "rendering": plan.settings(),
        "left out": [],
    }
