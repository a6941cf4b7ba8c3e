"""The flags of `telldraw prepare` for sets of pictures."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from telldraw.commands.counting import at_least, counted
from telldraw.commands.progress import owners_folder, progress_of, say
from telldraw.data import DATASETS
from telldraw.errors import DataError, TelldrawError

if TYPE_CHECKING:
    from telldraw.data.codraw_pictures import Report

Source = Annotated[Path | None, tyro.conf.arg(name="from", metavar="FOLDER")]


@dataclass(frozen=True)
class MNIST:
    """Prepare MNIST or Fashion-MNIST: 50,000 pictures to train on, 10,000 for validation, 10,000 for test."""

    source: Source = None
    """Folder with the four idx files, gzipped or not; unless said, $TELLDRAW_DATA/mnist where that is set."""
    out: Path | None = None
    """Where to put the prepared set; mnist-RESOLUTION.telldraw unless said, or fashion-mnist-RESOLUTION.telldraw."""
    resolution: int = 28
    """Side of the pictures, in pixels: 28 as they are, 32 with a border of zeros, others resampled."""
    overwrite: bool = False
    """Replace a prepared data set that is there already."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        source = self.source or owners_folder("mnist")
        if source is None:
            raise DataError(f"say where MNIST is: --from FOLDER; its owner distributes it at {DATASETS['mnist'].url}")
        if not 8 <= self.resolution <= 512:
            raise TelldrawError(f"--resolution {self.resolution}: 8 to 512 pixels can be prepared")
        from telldraw.data.mnist import load, prepare

        loaded = load(source)
        if loaded.unknown:
            files = ", ".join(path.name for path in loaded.unknown)
            say(f"{source} is neither MNIST nor Fashion-MNIST by its sums ({files}): prepared as an unknown set")
        out = self.out or Path(f"{loaded.name}-{self.resolution}.telldraw")
        with progress_of("writing") as progress:
            counts = prepare(loaded, out, resolution=self.resolution, overwrite=self.overwrite, progress=progress)
        print(f"{out}: {loaded.known.title}, {_listed(counts)}")
        print(f"licence of the data: {loaded.known.licence}")


@dataclass(frozen=True)
class Folder:
    """Prepare pictures of your own: a folder, in it classes as folders, or train, val and test with classes in them."""

    source: Source = None
    """Folder with the pictures."""
    resolution: int | None = None
    """Side of the square pictures, in pixels."""
    grey: bool = False
    """Make all pictures grey; unless this or --colour is said, the set is grey if every picture is."""
    colour: bool = False
    """Make all pictures colour."""
    fit: Literal["crop", "pad", "stretch"] = "crop"
    """How a picture becomes a square: its middle, a black border, or squeezed."""
    captions: str | None = None
    """What the pictures show: a file .json, .csv or .tsv, or "beside" where 1.txt holds the captions of 1.png."""
    val: float = 0.1
    """Share of the pictures for validation, unless there is a folder val."""
    test: float = 0.1
    """Share of the pictures for test, unless there is a folder test."""
    seed: int = 0
    """Which pictures those are depends on this."""
    name: str = ""
    """What the set is called; the folder's name unless said."""
    licence: str = "not stated; that of the pictures"
    """The terms of the pictures, which hold for what is trained on them."""
    out: Path | None = None
    """Where to put the prepared set; NAME-RESOLUTION.telldraw unless said."""
    strict: bool = False
    """Stop at the first fault instead of leaving that picture out."""
    overwrite: bool = False
    """Replace a prepared data set that is there already."""
    workers: int = os.cpu_count() or 1
    """Processes that read pictures."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        if self.source is None:
            raise DataError("say where the pictures are: --from FOLDER")
        if self.resolution is None or not 8 <= self.resolution <= 1024:
            given = "is missing" if self.resolution is None else f"{self.resolution} is not possible"
            raise TelldrawError(f"--resolution {given}; say how many pixels wide the squares shall be, 8 to 1024")
        if self.grey and self.colour:
            raise TelldrawError("--grey and --colour exclude each other; give one of them, or neither")
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test < 1):
            raise TelldrawError(
                f"--val {self.val:g} --test {self.test:g}: shares of 0 or more that leave some to train"
            )
        at_least(("--workers", self.workers, 1), ("--seed", self.seed, 0))
        from telldraw.data.folder import Plan, prepare

        name = self.name or self.source.resolve().name
        colour = True if self.colour else False if self.grey else None
        plan = Plan(
            self.resolution, colour, self.fit, self.captions, self.val, self.test, self.seed, name, self.licence
        )
        out = self.out or Path(f"{name}-{self.resolution}.telldraw")
        run = {"strict": self.strict, "overwrite": self.overwrite, "workers": self.workers, "tell": say}
        with progress_of("read") as progress:
            report = prepare(self.source, out, plan, progress=progress, **run)
        kind = "grey" if report.channels == 1 else "colour"
        captions = f", {counted(report.captions, 'caption')}" if self.captions else ""
        classes = counted(len(report.classes), "class", "classes") if report.classes else "no classes"
        print(f"{out}: {_listed(report.pictures)}; {classes}, {kind}{captions}")
        if report.faults:
            print(f"{counted(len(report.faults), 'fault')}; listed in {out / 'manifest.json'}")


@dataclass(frozen=True)
class CoDrawScenes:
    """Prepare the last canvas of every dialogue of CoDraw, with its classes and what the Teller said."""

    source: Source = None
    """Folder with CoDraw_1_0.json (or .json.gz) and Pngs; unless said, $TELLDRAW_DATA/codraw where that is set."""
    out: Path | None = None
    """Where to put the prepared set; codraw-scenes-RESOLUTION.telldraw unless said."""
    resolution: int = 64
    """Side of the square pictures, in pixels; the canvas of 5 to 4 is squashed."""
    strict: bool = False
    """Stop at the first fault instead of leaving that dialogue out."""
    overwrite: bool = False
    """Replace a prepared data set that is there already."""
    workers: int = os.cpu_count() or 1
    """Processes that draw."""
    limit: int | None = None
    """Only so many dialogues, for a trial."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        from telldraw.data.codraw_pictures import prepare_scenes

        _codraw(self, "codraw-scenes", prepare_scenes, {})


@dataclass(frozen=True)
class CoDrawObjects:
    """Prepare every object of the last canvases of CoDraw as a picture of its own, with what lies around it."""

    source: Source = None
    """Folder with CoDraw_1_0.json (or .json.gz) and Pngs; unless said, $TELLDRAW_DATA/codraw where that is set."""
    out: Path | None = None
    """Where to put the prepared set; codraw-objects-RESOLUTION.telldraw unless said."""
    resolution: int = 32
    """Side of the pictures, in pixels."""
    context: float = 1.15
    """Side of the square that is cut out, as a multiple of the object's longer side."""
    visible: float = 0.5
    """Share of an object that must be on the canvas and not covered."""
    strict: bool = False
    """Stop at the first fault instead of leaving that dialogue out."""
    overwrite: bool = False
    """Replace a prepared data set that is there already."""
    workers: int = os.cpu_count() or 1
    """Processes that draw."""
    limit: int | None = None
    """Only so many dialogues, for a trial."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        if not 1 <= self.context <= 4:
            raise TelldrawError(f"--context {self.context:g}: 1 cuts at the object's edge, 4 is the most")
        if not 0 < self.visible <= 1:
            raise TelldrawError(f"--visible {self.visible:g}: a share above 0, 1 at most")
        from telldraw.data.codraw_pictures import prepare_objects

        _codraw(self, "codraw-objects", prepare_objects, {"context": self.context, "visible": self.visible})


def _codraw(flags: CoDrawScenes | CoDrawObjects, name: str, prepare: Any, options: dict[str, float]) -> None:
    source = flags.source or owners_folder("codraw")
    if source is None:
        raise DataError(f"say where CoDraw is: --from FOLDER; its owner distributes it at {DATASETS[name].url}")
    if not 8 <= flags.resolution <= 512:
        raise TelldrawError(f"--resolution {flags.resolution}: 8 to 512 pixels can be drawn")
    at_least(("--workers", flags.workers, 1), ("--limit", flags.limit, 1))
    out, started = flags.out or Path(f"{name}-{flags.resolution}.telldraw"), time.monotonic()
    with progress_of("drawing") as progress:
        report: Report = prepare(
            source,
            out,
            resolution=flags.resolution,
            strict=flags.strict,
            overwrite=flags.overwrite,
            workers=flags.workers,
            limit=flags.limit,
            tell=say,
            progress=progress,
            **options,
        )
    print(f"{out}: {_listed(report.pictures)}; {time.monotonic() - started:.0f} s")
    if report.hidden:
        print(f"{counted(report.hidden, 'object')} left out: less than {options['visible']:.0%} can be seen")
    if report.faults:
        print(f"{counted(len(report.faults), 'dialogue')} left out for faults; listed in {out / 'manifest.json'}")
    print(f"licence of the data: {DATASETS[name].licence}")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{split} {counted(count, 'picture')}" for split, count in counts.items())


PICTURES: dict[str, Any] = {
    "mnist": MNIST,
    "codraw-scenes": CoDrawScenes,
    "codraw-objects": CoDrawObjects,
    "folder": Folder,
}
"""The flags of each set of pictures in the table."""
