"""Sequences in the manner of i-CLEVR, rendered here: seeded, resumable, in shards that join to the same bytes.

Sequences are rendered in groups of GROUP. A group is one file in `NAME.rendering`, beside the prepared set to be; it
gets its name when it is whole, so what is there is never rendered again, whoever rendered it: to join shards, put
their files into one such folder and run the command without its shard.
"""

import json
import os
import signal
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Literal, Protocol

import numpy as np

from telldraw.data.archive import Writer
from telldraw.data.clevr.sequences import Turn, sequence
from telldraw.data.clevr.stage import CANVAS, CLASSES, Solid
from telldraw.data.iclevr_store import SPLITS, Story, told, write_tables
from telldraw.errors import DataError

Engine = Literal["fast", "mitsuba"]

GROUP = 25
"""Sequences in a file; at most so many are rendered again after a stop, for each worker."""
LICENCE = "CC0 1.0 (rendered by telldraw)"
PLAN = "plan.json"

_FORM = 1  # of the pictures: what changes a pixel changes this


@dataclass(frozen=True)
class Plan:
    """All that the pictures depend on."""

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

    def groups(self) -> list[range]:
        """Numbers of the sequences, group by group."""
        return [range(at, min(at + GROUP, self.count)) for at in range(0, self.count, GROUP)]


class Painter(Protocol):
    """An engine."""

    def draw(self, solids: Sequence[Solid]) -> np.ndarray:
        """Draw the scene: uint8 [height, width, 3]."""
        ...


def painter(plan: Plan) -> Painter:
    """Make the engine of a plan. Raises DataError when it is not installed."""
    if plan.engine == "mitsuba":
        from telldraw.data.clevr.mitsuba import Renderer as Reference

        return Reference(plan.resolution, samples=plan.samples)
    from telldraw.data.clevr.fast import Renderer

    return Renderer(plan.resolution)


# --- groups -------------------------------------------------------------------------------------------------------


def _file(folder: Path, group: range) -> Path:
    return folder / f"{group.start:06d}.npz"


def render_group(plan: Plan, engine: Painter, folder: Path, group: range) -> int:
    """Render sequences and write their file; gives the number of pictures."""
    stories = [sequence(plan.seed, number, edits=plan.edits) for number in group]
    pictures = np.stack([engine.draw(turn.solids) for turns in stories for turn in turns])
    record = [[[turn.said, *(list(solid) for solid in turn.solids)] for turn in turns] for turns in stories]
    part = folder / f"{group.start:06d}.{os.getpid()}.part"
    with part.open("wb") as file:
        text = np.frombuffer(json.dumps(record).encode(), np.uint8)
        np.savez(file, images=pictures.transpose(0, 3, 1, 2), record=text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, _file(folder, group))
    return len(pictures)


def read_group(folder: Path, group: range) -> tuple[np.ndarray, list[list[Turn]]]:
    """Read a file of a group: pictures uint8 [n, 3, H, W], and the turns of each sequence.

    Raises DataError naming the file when it is damaged, which its checksums tell.
    """
    file = _file(folder, group)
    try:
        with np.load(file) as arrays:
            images, record = arrays["images"], json.loads(arrays["record"].tobytes())
        stories = [[Turn(said, tuple(Solid(*s) for s in solids)) for said, *solids in turns] for turns in record]
        if len(stories) != len(group) or sum(map(len, stories)) != len(images):
            raise ValueError("it holds another number of pictures")
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} is damaged ({error}); remove it and run the command again") from None
    return images, stories


# --- all of them --------------------------------------------------------------------------------------------------

_worker: tuple[Plan, Painter, Path] | None = None  # of this worker process


def _start(plan: Plan, folder: Path) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer; it ends the workers
    Thread(target=_end_with_parent, daemon=True).start()
    _worker = plan, painter(plan), folder


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _work(group: range) -> int:
    assert _worker is not None
    plan, engine, folder = _worker
    return render_group(plan, engine, folder, group)


def _render(plan: Plan, engine: Painter, folder: Path, groups: Sequence[range], workers: int) -> Iterator[int]:
    """Render groups, in any order; gives the number of sequences done with each."""
    if workers <= 1 or len(groups) <= 1:
        for group in groups:
            render_group(plan, engine, folder, group)
            yield len(group)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start, initargs=(plan, folder))
    try:
        queue = iter(groups)
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


def open_folder(plan: Plan, out: Path) -> Path:
    """Make or find the folder of groups. Raises DataError when it holds pictures of another plan."""
    folder = out.with_name(out.name + ".rendering")
    settings = {"form": _FORM, **asdict(plan)}
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
    plan: Plan,
    out: Path,
    *,
    shard: tuple[int, int] = (1, 1),
    workers: int = 1,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int] | None:
    """Render what is missing of a plan, or of one shard (number from 1, of how many), then store the prepared set.

    Gives turns by split, or None for a shard, which is rendered but not stored. Raises DataError.
    """
    # these two say now, and not hours later, that `out` or the engine cannot be used
    writer, engine = Writer(out, overwrite=overwrite), painter(plan)
    folder = open_folder(plan, out)
    groups = plan.groups()
    mine = groups[shard[0] - 1 :: shard[1]]
    missing = [group for group in mine if not _file(folder, group).exists()]
    total, done = sum(map(len, mine)), sum(map(len, mine)) - sum(map(len, missing))
    if done:
        tell(f"{done:,} sequences were rendered before; going on in {folder}")
    progress(0, total - done)
    finished = 0
    for count in _render(plan, engine, folder, missing, workers):
        finished += count
        progress(finished, total - done)
    if shard[1] > 1:
        return None
    turns = _store(plan, engine, writer, folder)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return turns


def _store(plan: Plan, engine: Painter, writer: Writer, folder: Path) -> dict[str, int]:
    """Put all groups together."""
    groups = plan.groups()
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
        "rendering": {"form": _FORM, **asdict(plan)},
        "left out": [],
    }
