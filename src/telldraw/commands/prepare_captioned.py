"""The flags of `telldraw prepare` for owners' sets of captioned pictures, and what all owners' pictures share."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from telldraw.commands.counting import at_least, counted
from telldraw.commands.progress import owners_folder, progress_of, say
from telldraw.data import DATASETS
from telldraw.errors import DataError, TelldrawError

if TYPE_CHECKING:
    from telldraw.data.captioned import Report


@dataclass(frozen=True)
class Common:
    """What all these sets are prepared with."""

    source: Annotated[Path | None, tyro.conf.arg(name="from", metavar="FOLDER")] = None
    """Folder with the owner's files, unpacked (docs/data/captions.md and real-faces.md); unless said, a folder of
    the set's name in $TELLDRAW_DATA where that is set."""
    out: Path | None = None
    """Where to put the prepared set; NAME-RESOLUTION.telldraw unless said."""
    resolution: int = 64
    """Side of the square pictures, in pixels."""
    strict: bool = False
    """Stop at the first fault instead of leaving that picture out."""
    overwrite: bool = False
    """Replace a prepared data set that is there already."""
    workers: int = os.cpu_count() or 1
    """Processes that read pictures."""


SetFlags = Annotated[Common, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class CUB:
    """Prepare CUB-200-2011 with its captions: 150 kinds of birds to train on, 50 to test on."""

    common: SetFlags = field(default_factory=Common)
    fit: Literal["crop", "stretch", "box"] = "crop"
    """How a photograph becomes a square: its middle; squeezed, as in Reed et al.; around the bird, as in StackGAN."""
    validation: bool = False
    """Keep 50 of the 150 kinds for validation, as the owner's lists say, instead of training on all of them."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        from telldraw.data.birds_and_flowers import prepare_cub

        prepared("cub", self.common, self.fit, prepare_cub, validation=self.validation)


@dataclass(frozen=True)
class Oxford102:
    """Prepare Oxford-102 with its captions: 82 kinds of flowers to train on, 20 to test on."""

    common: SetFlags = field(default_factory=Common)
    fit: Literal["crop", "stretch"] = "crop"
    """How a photograph becomes a square: its middle, or squeezed, as in Reed et al."""
    validation: bool = False
    """Keep 20 of the 82 kinds for validation, as the owner's lists say, instead of training on all of them."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        from telldraw.data.birds_and_flowers import prepare_flowers

        prepared("oxford-102", self.common, self.fit, prepare_flowers, validation=self.validation)


@dataclass(frozen=True)
class COCO:
    """Prepare MS-COCO with its captions: the owner's train part to train on, the val part to test on."""

    common: SetFlags = field(default_factory=Common)
    fit: Literal["crop", "stretch"] = "crop"
    """How a photograph becomes a square: its middle, or squeezed."""
    labels: bool = False
    """Also read which of 80 kinds of objects a picture shows."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        from telldraw.data.coco import prepare_coco

        prepared("coco", self.common, self.fit, prepare_coco, labels=self.labels)


def prepared(
    name: str, flags: Common, fit: Any, prepare: Callable[..., "Report"], *, folder: str = "", **options: Any
) -> None:
    """Prepare one of these sets, then say what there is. Raises TelldrawError.

    folder: how it is called in $TELLDRAW_DATA, if not by its name, or how that begins.
    """
    source = flags.source or owners_folder(folder or name)
    if source is not None and flags.source is None and not source.is_dir():
        source = next(iter(sorted(source.parent.glob(f"{source.name}*"))), source)
    if source is None:
        raise DataError(f"say where {name} is: --from FOLDER; its owner distributes it at {DATASETS[name].url}")
    if not 8 <= flags.resolution <= 1024:
        raise TelldrawError(f"--resolution {flags.resolution}: 8 to 1024 pixels can be prepared")
    at_least(("--workers", flags.workers, 1))
    from telldraw.data.captioned import How

    out, started = flags.out or Path(f"{name}-{flags.resolution}.telldraw"), time.monotonic()
    with progress_of("read") as progress:
        how = How(flags.resolution, fit, flags.strict, flags.overwrite, flags.workers, say, progress)
        report = prepare(source, out, how, **options)
    counts = ", ".join(f"{split} {counted(count, 'picture')}" for split, count in report.pictures.items())
    beside = f"; each with {' and '.join(report.maps)}" if report.maps else ""
    print(f"{out}: {counts}; {counted(report.captions, 'caption')}{beside}; {time.monotonic() - started:.0f} s")
    if report.faults:
        print(f"{len(report.faults):,} left out for faults; they are listed in {out / 'manifest.json'}")
    print(f"licence of the data: {DATASETS[name].licence}")


CAPTIONED: dict[str, Any] = {"cub": CUB, "oxford-102": Oxford102, "coco": COCO}
"""The flags of each set of captioned pictures in the table."""
