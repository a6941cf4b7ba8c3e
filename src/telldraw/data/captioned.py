"""What readers of owners' pictures share: files of captions, splits by class, photographs and their maps as squares."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from telldraw.data import DATASETS
from telldraw.data.archive import Writer
from telldraw.data.captions import remarks_on
from telldraw.data.collection import Map, Table, write_collection
from telldraw.data.face_maps import Source
from telldraw.data.faults import LeftOut
from telldraw.data.processes import in_processes
from telldraw.data.squares import Box, Fit, Squares
from telldraw.errors import DataError

SPLITS = ("train", "val", "test")
_ROWS = 256  # pictures copied at a time


class Picture(NamedTuple):
    """A photograph of an owner's set."""

    file: Path
    split: str
    classes: tuple[int, ...]  # what it shows, by number
    captions: list[str]
    box: Box | None = None  # left, top, width and height in pixels of what it shows
    maps: tuple[Source, ...] = ()  # what lies beside it, in the order of the set's maps
    known: tuple[int, ...] = ()  # the columns of the set's table


@dataclass(frozen=True)
class How:
    """What is made of an owner's set, and how."""

    resolution: int = 64
    fit: Fit = "crop"
    """How a photograph becomes a square: its middle, squeezed, around what it shows, or with a border."""
    strict: bool = False
    """Stop at the first fault."""
    overwrite: bool = False
    workers: int = 1
    tell: Callable[[str], None] = lambda sentence: None
    progress: Callable[[int, int], None] = lambda done, total: None


@dataclass(frozen=True)
class Report:
    """What became of it."""

    pictures: dict[str, int]  # by split
    captions: int
    remarks: tuple[str, ...]
    faults: tuple[tuple[str, str], ...]
    maps: tuple[str, ...] = ()


# --- files --------------------------------------------------------------------------------------------------------


def first_of(source: Path, places: Sequence[str], what: str) -> Path:
    """The first of `places` below `source` that is there. Raises DataError saying `what` was looked for, and where."""
    if not source.is_dir():
        raise DataError(f"there is no folder {source}; name the one that holds {what} with --from")
    for place in places:
        if (source / place).exists():
            return source / place
    raise DataError(f"{source} has no {what}: {' or '.join(places)} was expected")


def folder_of(source: Path, places: Sequence[str], what: str) -> Path:
    """`first_of` for folders. Raises DataError also where a file stands in the place of one."""
    if folders := [source / place for place in places if (source / place).is_dir()]:
        return folders[0]
    found = first_of(source, places, what)
    raise DataError(f"{found} is a file, and a folder of {what} was expected; unpack its archive again")


def lines_of(file: Path) -> list[str]:
    """The lines of a text file that are not empty, without spaces around them. Raises DataError."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="replace")  # some captions have stray bytes
    except FileNotFoundError:
        raise DataError(f"{file} is missing; unpack its archive again") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def fields_of(file: Path, kinds: Sequence[type], what: str) -> list[list[Any]]:
    """The lines of a table with these columns, the last taking the rest. Raises DataError naming file and line."""
    rows = []
    for number, line in enumerate(lines_of(file), 1):
        cells = line.split(" ", len(kinds) - 1)
        try:
            if len(cells) != len(kinds):
                raise ValueError
            rows.append([kind(cell) for kind, cell in zip(kinds, cells, strict=True)])
        except ValueError:
            raise DataError(f"{file}, line {number}: {what} was expected and not {line[:60]!r}") from None
    return rows


def captions_in(file: Path, expected: int) -> list[str]:
    """The captions of one picture, a line each. Raises DataError when there are not as many as expected.

    A space that does not break was lost in some captions as they are distributed: two marks of what could not be read
    (U+FFFD), one for each of its bytes, stand where it was. They are a space again.
    """
    captions = [" ".join(line.replace("\N{REPLACEMENT CHARACTER}" * 2, " ").split()) for line in lines_of(file)]
    if len(captions) != expected:
        raise DataError(f"{file} has {len(captions)} captions and not {expected}; unpack the captions again")
    return captions


def _twice(name: str, one: Path, other: Path) -> DataError:
    """A class in two lists."""
    return DataError(
        f"{name} is in {one.name} and {other.name} of {one.parent}: a class belongs to one split; take the lists that "
        "come with the captions"
    )


def zero_shot(folder: Path, classes: Sequence[str], published: tuple[int, int], validation: bool) -> dict[str, str]:
    """Which split each class belongs to, by the lists that come with the captions: nothing is tested that was trained.

    Lists: trainvalclasses.txt, or trainclasses.txt and valclasses.txt; and testclasses.txt. Classes of both parts are
    trained on, as published, unless `validation` keeps those of the second for that. published: how many classes are
    trained on and tested on in a set that has as many as these together.

    Raises DataError for a class in two lists or in none, one that is unknown, and another division than published.
    """
    lists = {name: folder / f"{name}classes.txt" for name in ("train", "val", "trainval", "test")}
    whole = lists["trainval"].is_file() and not validation
    parts = ("trainval", "test") if whole else ("train", "val", "test")
    split_of: dict[str, str] = {}
    for part in parts:
        for name in dict.fromkeys(lines_of(lists[part])):
            if name not in classes:
                raise DataError(f"{lists[part]} has {name}, which is no class of this set; take the list of this set")
            if name in split_of:
                raise _twice(name, lists[part], lists[split_of[name]])
            split_of[name] = part
    for part in ("train", "val", "trainval"):  # those not taken must not say otherwise of what is tested on
        for name in lines_of(lists[part]) if part not in parts and lists[part].is_file() else ():
            if split_of.get(name) == "test":
                raise _twice(name, lists[part], lists["test"])
    if missing := [name for name in classes if name not in split_of]:
        raise DataError(f"{missing[0]} is in none of the lists of classes in {folder}; take those of the captions")
    count = sum(part == "test" for part in split_of.values())
    if len(classes) == sum(published) and count != published[1]:
        raise DataError(
            f"{lists['test']} has {count} classes, and {published[1]} of {len(classes)} are tested on as published; "
            "take the lists that come with the captions"
        )
    named = {"train": "train", "val": "val" if validation else "train", "trainval": "train", "test": "test"}
    return {name: named[part] for name, part in split_of.items()}


def owned(name: str) -> dict[str, Any]:
    """Whose a set of the table is, for its manifest."""
    return {"name": name, "licence": DATASETS[name].licence, "url": DATASETS[name].url}


# --- pictures -----------------------------------------------------------------------------------------------------


def store(
    out: Path,
    pictures: Sequence[Picture],
    facts: dict[str, Any],
    left_out: LeftOut,
    how: How,
    *,
    maps: Mapping[str, tuple[str, ...]] | None = None,
    table: tuple[str, tuple[str, ...]] | None = None,
) -> Report:
    """Write a set: its photographs as squares, their classes and captions. Memory holds a few photographs at a time.

    facts: name, licence, url, classes, many. maps: what lies beside each picture, each with the names of its regions.
    table: its name and columns, if numbers are known of each picture. What cannot be read goes to `left_out`, and the
    rest on. Raises DataError when nothing is left to train on.
    """
    ordered, maps = sorted(pictures, key=lambda one: SPLITS.index(one.split)), maps or {}
    if not any(one.split == "train" for one in ordered):
        raise DataError(f"no picture of {facts['name']} is left to train on" + _first(left_out))
    with Writer(out, overwrite=how.overwrite) as writer:
        raw = writer.part / "pictures.raw"  # how many can be read is known only when all have been
        kept = [ordered[row] for row in _decode(ordered, raw, left_out, how)]
        counts = Counter(one.split for one in kept)
        if not counts["train"]:
            raise DataError(f"no picture of {facts['name']} that would be trained on can be read" + _first(left_out))
        labels = np.zeros((len(kept), len(facts["classes"])), np.uint8)
        for row, one in enumerate(kept):
            labels[row, list(one.classes)] = 1
        remarks = [*facts.get("remarks", ()), *remarks_on([(one.file.name, one.captions) for one in kept])]
        for remark in remarks:
            how.tell(remark)
        at = np.cumsum([0, *(counts[split] for split in SPLITS)]).tolist()
        splits = {split: [at[n], at[n + 1]] for n, split in enumerate(SPLITS) if counts[split]}
        full = {"resolution": how.resolution, "channels": 3, "splits": splits, "fit": how.fit, "remarks": remarks}
        full |= {"left out": [list(fault) for fault in left_out.faults]}
        captions = [one.captions for one in kept] if any(one.captions for one in kept) else None
        stored = _Stored(raw, len(kept), 3 + len(maps), how.resolution)
        beside = {name: Map(regions, stored.maps(n)) for n, (name, regions) in enumerate(maps.items())}
        known = {table[0]: Table(table[1], np.array([one.known for one in kept]))} if table else {}
        write_collection(writer, stored.pictures(), labels, facts | full, captions, tables=known, maps=beside)
    sentences = sum(len(one.captions) for one in kept)
    return Report(
        {name: counts[name] for name in splits}, sentences, tuple(remarks), tuple(left_out.faults), tuple(maps)
    )


def _decode(pictures: Sequence[Picture], raw: Path, left_out: LeftOut, how: How) -> list[int]:
    """Write every photograph that can be read to `raw`, with what lies beside it; gives which those are."""
    kept, done = [], 0
    how.progress(0, len(pictures))
    wanted = [(one.file, one.box, one.maps) for one in pictures]
    squares = Squares(how.resolution, how.fit)
    with raw.open("xb") as file:
        for part in in_processes(Squares, tuple(squares), Squares.read_all, wanted, workers=how.workers):
            for read in part:
                if isinstance(read, str):
                    left_out(pictures[done].file.name, read)
                else:
                    file.write(np.ascontiguousarray(read).data)
                    kept.append(done)
                done += 1
            how.progress(done, len(pictures))
    return kept


@dataclass(frozen=True)
class _Stored:
    """Squares on the disk: uint8 [count, planes, side, side], first the pictures' three planes, then a plane a map."""

    raw: Path
    count: int
    planes: int
    side: int

    def pictures(self) -> Iterator[np.ndarray]:
        """The pictures in blocks."""
        for block in self._blocks(last=self.planes == 3):
            yield block[:, :3]

    def maps(self, number: int) -> Iterator[np.ndarray]:
        """A map in blocks."""
        for block in self._blocks(last=number == self.planes - 4):
            yield block[:, 3 + number]

    def _blocks(self, *, last: bool) -> Iterator[np.ndarray]:
        size = self.planes * self.side * self.side
        with self.raw.open("rb") as file:
            for start in range(0, self.count, _ROWS):
                rows = min(_ROWS, self.count - start)
                pixels = np.frombuffer(file.read(rows * size), np.uint8)
                yield pixels.reshape(rows, self.planes, self.side, self.side)
        if last:
            self.raw.unlink()


def _first(left_out: LeftOut) -> str:
    return f"; the first, {left_out.faults[0][1]}" if left_out.faults else ""
