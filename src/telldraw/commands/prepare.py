"""`telldraw prepare`: a data set, from what its owner distributes, in the form that training reads."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from telldraw.commands.counting import at_least
from telldraw.commands.prepare_captioned import CAPTIONED
from telldraw.commands.prepare_pictures import PICTURES
from telldraw.commands.prepare_real_faces import REAL_FACES
from telldraw.commands.prepare_rendered import CLEVRBirds, Faces, counts_of, shard_of
from telldraw.commands.prepare_tags import TAGS
from telldraw.commands.progress import owners_folder, progress_of, say
from telldraw.data import DATASETS
from telldraw.errors import DataError, TelldrawError


@dataclass(frozen=True)
class CoDraw:
    """Prepare CoDraw: read the dialogues, draw every canvas, store all that training and evaluation read."""

    source: Annotated[Path | None, tyro.conf.arg(name="from", metavar="FOLDER")] = None
    """Folder with CoDraw_1_0.json (or .json.gz) and Pngs, as its owner distributes them; unless said,
    $TELLDRAW_DATA/codraw where that is set."""
    out: Path | None = None
    """Where to put the prepared data set; codraw-RESOLUTION.telldraw unless said."""
    resolution: int = 128
    """Side of the square pictures, in pixels."""
    turns: Literal["published", "all"] = "published"
    """Which canvases make a turn: those that gained an object, as published, or every change."""
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
        source = self.source or owners_folder("codraw")
        if source is None:
            raise DataError(f"say where CoDraw is: --from FOLDER; its owner distributes it at {DATASETS['codraw'].url}")
        if not 8 <= self.resolution <= 512:
            raise TelldrawError(f"--resolution {self.resolution}: 8 to 512 pixels can be drawn")
        at_least(("--workers", self.workers, 1), ("--limit", self.limit, 1))
        from telldraw.data.codraw import prepare

        out = self.out or Path(f"codraw-{self.resolution}.telldraw")
        started = time.monotonic()
        with progress_of("drawing") as progress:
            report = prepare(
                source,
                out,
                resolution=self.resolution,
                protocol=self.turns,
                strict=self.strict,
                overwrite=self.overwrite,
                workers=self.workers,
                limit=self.limit,
                tell=say,
                progress=progress,
            )
        counts = "; ".join(f"{s} {n:,} dialogues, {report.turns[s]:,} turns" for s, n in report.dialogues.items())
        print(f"{out}: {counts}; {report.words:,} words; {time.monotonic() - started:.0f} s")
        if report.faults:
            print(f"{len(report.faults):,} left out for faults; they are listed in {out / 'manifest.json'}")
        print(f"licence of the data: {DATASETS['codraw'].licence}")


@dataclass(frozen=True)
class ICLEVR:
    """Prepare i-CLEVR: read the published set (--from), or render sequences of the same kind (--render)."""

    source: Annotated[Path | None, tyro.conf.arg(name="from", metavar="FOLDER")] = None
    """Folder with scenes, text, images and background.png, or with clevr_train.h5, clevr_val.h5 and clevr_test.h5;
    unless said, $TELLDRAW_DATA/iclevr where that is set."""
    render: int | None = None
    """Render so many sequences: 60 % for train, 20 % for val, 20 % for test, as published."""
    train: int | None = None
    """Render so many sequences for train, instead of --render; --val and --test likewise."""
    val: int | None = None
    """Rendered sequences for val."""
    test: int | None = None
    """Rendered sequences for test."""
    edits: bool = False
    """Render sequences of eight turns that also move, recolour and remove solids."""
    seed: int = 0
    """Sequence i depends on this and on i, on nothing else."""
    engine: Literal["fast", "mitsuba"] = "fast"
    """What renders: our ray caster, or Mitsuba 3 (pip install 'telldraw[render]'), some 50 times slower."""
    samples: int = 128
    """Paths a pixel, of the engine mitsuba."""
    shard: str | None = None
    """Render part i of n only: i/n. To join, put the files of all NAME.rendering folders into one of them and run the
    command without --shard."""
    out: Path | None = None
    """Where to put the prepared data set; iclevr-RESOLUTION.telldraw unless said."""
    resolution: int = 128
    """Side of the square pictures, in pixels."""
    strict: bool = False
    """Stop at the first fault in the published set instead of leaving that scene out."""
    overwrite: bool = False
    """Replace a prepared data set that is there already."""
    workers: int = os.cpu_count() or 1
    """Processes that render."""
    limit: int | None = None
    """Only so many scenes of the published set, for a trial."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        if not 16 <= self.resolution <= 512:
            raise TelldrawError(f"--resolution {self.resolution}: 16 to 512 pixels can be drawn")
        at_least(("--workers", self.workers, 1), ("--limit", self.limit, 1))
        out = self.out or Path(f"iclevr-{self.resolution}.telldraw")
        counts = (self.render, self.train, self.val, self.test)
        if all(count is None for count in counts):
            if self.edits or self.shard:
                raise TelldrawError("--edits and --shard go with --render N; the published set is read as it is")
            self._read(out)
        elif self.source is not None:
            raise TelldrawError("--from reads the published set, --render makes one: give one of the two")
        elif self.limit is not None:
            raise TelldrawError("--limit goes with --from; to render fewer, give --render a smaller number")
        else:
            self._render(out)

    def _read(self, out: Path) -> None:
        source = self.source or owners_folder("iclevr")
        if source is None:
            where = DATASETS["iclevr"].url
            raise DataError(f"say --render N, or where i-CLEVR is: --from FOLDER; its owner distributes it at {where}")
        from telldraw.data.iclevr import prepare

        started = time.monotonic()
        with progress_of("reading") as progress:
            report = prepare(
                source,
                out,
                resolution=self.resolution,
                strict=self.strict,
                overwrite=self.overwrite,
                limit=self.limit,
                tell=say,
                progress=progress,
            )
        counts = "; ".join(f"{s} {n:,} sequences, {report.turns[s]:,} turns" for s, n in report.dialogues.items())
        print(f"{out}: {counts}; {report.words:,} words; {time.monotonic() - started:.0f} s")
        if report.faults:
            print(f"{len(report.faults):,} left out for faults; they are listed in {out / 'manifest.json'}")
        print(f"licence of the data: {DATASETS['iclevr'].licence}")

    def _render(self, out: Path) -> None:
        counts, shard = counts_of(self.render, (self.train, self.val, self.test), held=0.2), shard_of(self.shard)
        at_least(("--seed", self.seed, 0))
        if not 1 <= self.samples <= 65536:
            raise TelldrawError(f"--samples {self.samples}: 1 to 65,536 paths a pixel are possible")
        from telldraw.data.iclevr_render import LICENCE, Plan
        from telldraw.data.rendering import render

        plan = Plan(*counts, self.resolution, self.seed, self.edits, self.engine, self.samples)
        started = time.monotonic()
        with progress_of("rendered") as progress:
            turns = render(
                plan, out, shard=shard, workers=self.workers, overwrite=self.overwrite, tell=say, progress=progress
            )
        if turns is None:
            print(f"part {self.shard} lies in {out}.rendering; the command without --shard joins all parts there")
            return
        counts = "; ".join(f"{s} {getattr(plan, s):,} sequences, {n:,} turns" for s, n in turns.items())
        print(f"{out}: {counts}; {time.monotonic() - started:.0f} s")
        print(f"licence of the data: {LICENCE}")


OWN: dict[str, Any] = {"codraw": CoDraw, "iclevr": ICLEVR, "clevr-birds": CLEVRBirds, "faces": Faces}
FLAGS: dict[str, Any] = {**OWN, **PICTURES, **TAGS, **CAPTIONED, **REAL_FACES}
"""The flags of each data set in the table."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw prepare`: the data set, then its flags."""
    listing = "\n".join(f"  {name:14} {entry.summary}" for name, entry in DATASETS.items())
    if argv[:1] in (["-h"], ["--help"]):
        print(f"usage: telldraw prepare DATASET [flags]; telldraw prepare DATASET --help shows them\n\n{listing}")
        return
    if not argv or argv[0] not in FLAGS:
        wrong = f"there is no data set {argv[0]!r}" if argv else "say which data set to prepare"
        raise TelldrawError(f"{wrong}; there are:\n{listing}")
    tyro.cli(FLAGS[argv[0]], args=argv[1:], prog=f"telldraw prepare {argv[0]}").run()
