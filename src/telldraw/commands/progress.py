"""How far a long job is: a bar on a terminal, a line every few seconds elsewhere; and where owners' files lie."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def owners_folder(name: str) -> Path | None:
    """Where the owner's files are when $TELLDRAW_DATA says so."""
    root = os.environ.get("TELLDRAW_DATA")
    return Path(root) / name if root else None


def say(sentence: str) -> None:
    """Print a sentence to stderr, at once."""
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left on a terminal, elsewhere a line every few seconds; both on stderr."""
    if not sys.stderr.isatty():
        yield every_few_seconds(what)
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


def every_few_seconds(what: str, every: float = 5.0) -> Callable[[int, int], None]:
    """What prints a line at most every so many seconds."""
    started = last = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal started, last
        now = time.monotonic()
        if not done:
            started = last = now
        elif now - last >= every or done == total:
            last = now
            left = (now - started) / done * (total - done)
            say(f"{what} {done:,} of {total:,}, {left:.0f} s left")

    return update
