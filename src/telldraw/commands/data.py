"""`telldraw data`: the data sets there are, and what a prepared one holds."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from telldraw.commands.counting import at_least, counted
from telldraw.data import DATASETS
from telldraw.errors import DataError

if TYPE_CHECKING:
    from telldraw.data.archive import Dataset, Dialogue
    from telldraw.drawing.sheet import Strip

_SHOWN = ("val", "test", "train")
"""On the sheet, the first that there is."""


@dataclass(frozen=True)
class Data:
    """List the data sets telldraw can prepare, or describe a prepared one."""

    path: Annotated[Path | None, tyro.conf.Positional] = None
    """A prepared data set; without it the table of data sets is printed."""
    sheet: Path | None = None
    """Draw a few dialogues of it, the instruction under each picture, or a few pictures of each class, into this
    PNG."""
    split: str | None = None
    """Which split the sheet shows; unless said, val, or test where there is none, or train."""
    dialogues: int = 4
    """How many dialogues the sheet shows."""
    pictures: int = 8
    """How many pictures the sheet shows: of every class, or in all where a picture has several classes."""
    verify: bool = False
    """Read every byte of it and compare checksums."""

    def run(self) -> None:
        """Print, and draw the sheet if one is asked for."""
        if self.path is None:
            if self.sheet or self.verify:
                raise DataError("say which prepared data set: telldraw data PATH")
            _list()
            return
        at_least(("--dialogues", self.dialogues, 1), ("--pictures", self.pictures, 1))
        from telldraw.commands.picture_data import describe, strips
        from telldraw.data.collection import Collection
        from telldraw.data.prepared import open_prepared

        dataset = open_prepared(self.path)
        describe(dataset) if isinstance(dataset, Collection) else _describe(dataset)
        if self.verify:
            dataset.verify()
            print("every checksum is right")
        split = self.split or next((one for one in _SHOWN if dataset.splits.get(one)), "val")
        if isinstance(dataset, Collection):
            if self.sheet:
                _save(strips(dataset, split, self.pictures), self.sheet)
                print(f"{self.sheet}: pictures of {split}")
            return
        if self.sheet:
            chosen = dataset.split(split)[: self.dialogues]
            if not chosen:
                raise DataError(f"the split {split!r} of {self.path} has no dialogue; choose another with --split")
            _sheet(dataset, chosen, self.sheet)
            print(f"{self.sheet}: {counted(len(chosen), 'dialogue')} of {split}")


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw data`."""
    tyro.cli(Data, args=argv, prog="telldraw data").run()


def _sheet(dataset: "Dataset", dialogues: "list[Dialogue]", path: Path) -> None:
    """Draw dialogues turn by turn, in the shape of the owner's canvas: at rest the pictures are squares."""
    from PIL import Image

    from telldraw.drawing.sheet import Frame, Strip

    across, down = dataset.manifest.get("canvas", (1, 1))
    size = (round(256 * across / down), 256)
    strips = []
    for dialogue in dialogues:
        frames = []
        for turn, row in enumerate(range(dialogue.start, dialogue.stop), 1):
            picture = Image.fromarray(dataset.images[row].transpose(1, 2, 0))
            frames.append(Frame(picture.resize(size, Image.Resampling.LANCZOS), f"{turn}", dataset.said(row)))
        strips.append(Strip(dialogue.id, frames))
    _save(strips, path)


def _save(strips: "list[Strip]", path: Path) -> None:
    from telldraw.drawing.sheet import contact_sheet

    path.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(strips).save(path)


def _list() -> None:
    for name, entry in DATASETS.items():
        print(f"{name}: {entry.summary}")
        print(f"  {entry.size}; {entry.licence}; {entry.url}")
        for flag in entry.flags:
            print(f"  telldraw prepare {name} {flag}")


def _describe(dataset: "Dataset") -> None:
    print(f"{dataset.name}, {dataset.resolution} x {dataset.resolution} pixels, protocol {dataset.protocol}")
    print(f"licence: {dataset.licence}; owner: {dataset.manifest.get('url', 'not stated')}")
    for split, dialogues in dataset.splits.items():
        turns = sum(d.stop - d.start for d in dialogues)
        mean = f", {turns / len(dialogues):.2f} a dialogue" if dialogues else ""
        print(f"{split:>6}: {counted(len(dialogues), 'dialogue')}, {counted(turns, 'turn')}{mean}")
    lengths = [len(dataset.words(row)) for row in range(len(dataset))]
    mean = sum(lengths) / len(lengths)
    print(f"words: {len(dataset.vocabulary):,} known; {mean:.1f} an instruction, at most {max(lengths)}")
    counts = dataset.objects.sum(0, dtype=int)
    often = sorted(zip(dataset.classes, counts.tolist(), strict=True), key=lambda pair: -pair[1])
    classes = f"{counted(len(dataset.classes), 'class', 'classes')}, by pictures: " + ", ".join(
        f"{name} {n:,}" for name, n in often
    )
    print(textwrap.fill(classes, 100, subsequent_indent="  "))
    print(f"{sum(facts['bytes'] for facts in dataset.manifest['files'].values()) / 1e9:.2f} GB")
    for dialogue, what in dataset.manifest.get("left out", []):
        print(f"left out: {dialogue}: {what}")
