"""Pictures rendered here, of any kind: seeded, resumable, in shards that join to the same bytes.

What is rendered is numbered, and rendered in groups of numbers. A group is one file in `NAME.rendering`, beside the
prepared set to be; it gets its name when it is whole, so what is there is never rendered again, whoever rendered it: to
join shards, put their files into one such folder and run the command without its shard.
"""

import json
import os
import signal
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from telldraw.data.archive import Writer
from telldraw.errors import DataError

LICENCE = "CC0 1.0 (rendered by telldraw)"
PLAN = "plan.json"

T = TypeVar("T")


class Job(Protocol):
    """What is to be rendered. A value that can be sent to another process."""

    group: ClassVar[int]
    """How many are in a file; at most so many are rendered again after a stop, for each worker."""
    what: ClassVar[str]
    """What they are called, more than one of them."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def settings(self) -> dict[str, Any]:
        """All that the pictures depend on, for JSON."""
        ...

    def painter(self) -> Any:
        """What draws. Raises DataError when it is not installed."""
        ...

    def paint(self, engine: Any, numbers: range) -> tuple[np.ndarray, list[Any]]:
        """Give the pictures of these numbers, uint8 [n, 3, H, W], and what is to be known of each number, for JSON."""
        ...

    def store(self, engine: Any, writer: Writer, folder: Path) -> dict[str, int]:
        """Put the groups in the folder together as a prepared set; gives how many there are by split."""
        ...


def groups(job: Job) -> list[range]:
    """The numbers, group by group."""
    return [range(at, min(at + job.group, job.count)) for at in range(0, job.count, job.group)]


def _file(folder: Path, group: range) -> Path:
    return folder / f"{group.start:06d}.npz"


def render_group(job: Job, engine: Any, folder: Path, group: range) -> int:
    """Render a group and write its file; gives the number of pictures."""
    pictures, record = job.paint(engine, group)
    part = folder / f"{group.start:06d}.{os.getpid()}.part"
    with part.open("wb") as file:
        np.savez(file, images=pictures, record=np.frombuffer(json.dumps(record).encode(), np.uint8))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, _file(folder, group))
    return len(pictures)


def read_group(folder: Path, group: range, read: Callable[[list[Any], int], T]) -> tuple[np.ndarray, T]:
    """Read a file of a group: pictures uint8 [n, 3, H, W], and what `read(record, n)` makes of its record.

    Raises DataError naming the file when it is damaged, which its checksums tell, or `read` with a ValueError.
    """
    file = _file(folder, group)
    try:
        with file.open("rb") as stream, np.load(stream) as arrays:
            images, record = arrays["images"], json.loads(arrays["record"].tobytes())
        if len(record) != len(group):
            raise ValueError(f"it holds {len(record)} and not {len(group)}")
        return images, read(record, len(images))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} is damaged ({error}); remove it and run the command again") from None


# --- all of them --------------------------------------------------------------------------------------------------

_worker: tuple[Job, Any, Path] | None = None  # of this worker process


def _start(job: Job, folder: Path) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer; it ends the workers
    Thread(target=_end_with_parent, daemon=True).start()
    _worker = job, job.painter(), folder


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _work(group: range) -> int:
    assert _worker is not None
    job, engine, folder = _worker
    return render_group(job, engine, folder, group)


def _render(job: Job, engine: Any, folder: Path, missing: Sequence[range], workers: int) -> Iterator[int]:
    """Render groups, in any order; gives how many are done with each."""
    if workers <= 1 or len(missing) <= 1:
        for group in missing:
            render_group(job, engine, folder, group)
            yield len(group)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start, initargs=(job, folder))
    try:
        queue = iter(missing)
        under_way: dict[Future[int], range] = {}
        while True:
            while len(under_way) < 2 * workers and (group := next(queue, None)) is not None:
                under_way[pool.submit(_work, group)] = group
            if not under_way:
                return
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                group = under_way.pop(done)
                done.result()
                yield len(group)
    except BrokenProcessPool:
        raise DataError("a rendering process was ended from outside, perhaps for memory; use fewer --workers") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def open_folder(job: Job, out: Path) -> Path:
    """Make or find the folder of groups. Raises DataError when it holds pictures of another plan."""
    folder = out.with_name(out.name + ".rendering")
    settings = job.settings()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / PLAN
    if not file.exists():
        part = folder / f"{PLAN}.{os.getpid()}.part"
        part.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        os.replace(part, file)
        return folder
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
        differing = [name for name in settings if there[name] != settings[name]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is damaged ({error}); remove {folder} and run the command again") from None
    if differing:
        what = ", ".join(f"{name} {there[name]} and not {settings[name]}" for name in differing)
        raise DataError(f"{folder} was begun with {what}; go on so, remove it, or name another --out")
    return folder


def render(
    job: Job,
    out: Path,
    *,
    shard: tuple[int, int] = (1, 1),
    workers: int = 1,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int] | None:
    """Render what is missing of a job, or of one shard (number from 1, of how many), then store the prepared set.

    Gives how many there are by split, or None for a shard, which is rendered but not stored. Raises DataError.
    """
    # these two say now, and not hours later, that `out` or the engine cannot be used
    writer, engine = Writer(out, overwrite=overwrite), job.painter()
    folder = open_folder(job, out)
    mine = groups(job)[shard[0] - 1 :: shard[1]]
    missing = [group for group in mine if not _file(folder, group).exists()]
    total, done = sum(map(len, mine)), sum(map(len, mine)) - sum(map(len, missing))
    if done:
        tell(f"{done:,} {job.what} were rendered before; going on in {folder}")
    progress(0, total - done)
    finished = 0
    for count in _render(job, engine, folder, missing, workers):
        finished += count
        progress(finished, total - done)
    if shard[1] > 1:
        return None
    stored = job.store(engine, writer, folder)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return stored
