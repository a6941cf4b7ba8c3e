"""`telldraw prepare`: a data set, from what its owner distributes, in the form that training reads."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from telldraw.data import DATASETS
from telldraw.errors import DataError, TelldrawError


def _owners_folder(name: str) -> Path | None:
    """Where the owner's files are when $TELLDRAW_DATA says so."""
    root = os.environ.get("TELLDRAW_DATA")
    return Path(root) / name if root else None


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
        source = self.source or _owners_folder("codraw")
        if source is None:
            raise DataError(f"say where CoDraw is: --from FOLDER; its owner distributes it at {DATASETS['codraw'].url}")
        if not 8 <= self.resolution <= 512:
            raise TelldrawError(f"--resolution {self.resolution}: 8 to 512 pixels can be drawn")
        if self.workers < 1 or (self.limit is not None and self.limit < 1):
            raise TelldrawError("--workers and --limit are 1 or more")
        from telldraw.data.codraw import prepare

        out = self.out or Path(f"codraw-{self.resolution}.telldraw")
        started = time.monotonic()
        with _progress("drawing") as progress:
            report = prepare(
                source,
                out,
                resolution=self.resolution,
                protocol=self.turns,
                strict=self.strict,
                overwrite=self.overwrite,
                workers=self.workers,
                limit=self.limit,
                tell=_say,
                progress=progress,
            )
        counts = "; ".join(f"{s} {n:,} dialogues, {report.turns[s]:,} turns" for s, n in report.dialogues.items())
        print(f"{out}: {counts}; {report.words:,} words; {time.monotonic() - started:.0f} s")
        if report.faults:
            print(f"{len(report.faults):,} left out for faults; they are listed in {out / 'manifest.json'}")
        print(f"licence of the data: {DATASETS['codraw'].licence}")


FLAGS: dict[str, type[CoDraw]] = {"codraw": CoDraw}
"""The flags of each data set in the table."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw prepare`: the data set, then its flags."""
    listing = "\n".join(f"  {name:10} {entry.summary}" for name, entry in DATASETS.items())
    if argv[:1] in (["-h"], ["--help"]):
        print(f"usage: telldraw prepare DATASET [flags]; telldraw prepare DATASET --help shows them\n\n{listing}")
        return
    if not argv or argv[0] not in FLAGS:
        wrong = f"there is no data set {argv[0]!r}" if argv else "say which data set to prepare"
        raise TelldrawError(f"{wrong}; there are:\n{listing}")
    tyro.cli(FLAGS[argv[0]], args=argv[1:], prog=f"telldraw prepare {argv[0]}").run()


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left on a terminal, elsewhere a line every few seconds; both on stderr."""
    if not sys.stderr.isatty():
        yield _lines(what)
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn(what),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, start=False)

        def update(done: int, total: int) -> None:
            if not done:
                bar.start_task(task)
            bar.update(task, completed=done, total=total)

        yield update


def _lines(what: str, every: float = 5.0) -> Callable[[int, int], None]:
    started = last = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal started, last
        now = time.monotonic()
        if not done:
            started = last = now
        elif now - last >= every or done == total:
            last = now
            left = (now - started) / done * (total - done)
            _say(f"{what} {done:,} of {total:,}, {left:.0f} s left")

    return update
