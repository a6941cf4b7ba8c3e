"""Which faces of CelebA-HQ are trained on: the lists of Multi-Modal CelebA-HQ, the parts of CelebA, or the numbers."""

import pickletools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from telldraw.data.captioned import lines_of
from telldraw.errors import DataError

Way = Literal["auto", "lists", "official", "number"]
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
PUBLISHED = (24_000, 6_000)
"""Faces that Multi-Modal CelebA-HQ trains and tests on."""
LISTS = "lists of names"
_VAL, _TEST = 162_771, 182_638  # the first pictures of CelebA that are for validation and for test
_TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING"}
_LISTS = {"PROTO", "FRAME", "EMPTY_LIST", "LIST", "MARK", "APPEND", "APPENDS", "STOP"}
_PUTS = {"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}


def splits_of(
    roots: Sequence[Path], names: Sequence[str], way: Way, swap: bool, tell: Callable[[str], None]
) -> tuple[dict[str, str], str]:
    """The split of each face, by number, and a word for the manifest on how they were found.

    way: auto takes the lists of names where they are, else CelebA's parts, else the number. Raises DataError.
    """
    lists = next((root for root in roots if any(_list(root, split).is_file() for split in ("train", "test"))), None)
    mapping = next((root / MAPPING for root in roots if (root / MAPPING).is_file()), None)
    if way == "lists" and lists is None:
        raise DataError(f"{roots[0]} has no lists of names: train/filenames.pickle and test/filenames.pickle")
    if way == "official" and mapping is None:
        raise DataError(f"{roots[0]} has no {MAPPING}, by which CelebA's own parts are told; it is in CelebAMask-HQ")
    if swap and (lists is None or way not in ("auto", "lists")):
        raise DataError(
            f"--swap is for train/filenames.pickle and test/filenames.pickle, and {roots[0]} is read without"
        )
    if lists is not None and way in ("auto", "lists"):
        return _by_lists(lists, swap, tell), f"{LISTS}, each taken for the other" if swap else LISTS
    if mapping is not None and way in ("auto", "official"):
        return _by_mapping(mapping), "the parts of CelebA"
    count = len(names) * 4 // 5
    tell(f"{roots[0]} has no lists of names: the first {count:,} of {len(names):,} pictures are trained on")
    return {name: "train" if place < count else "test" for place, name in enumerate(names)}, "number"


def _list(root: Path, split: str) -> Path:
    return root / split / "filenames.pickle"


def _by_lists(root: Path, swap: bool, tell: Callable[[str], None]) -> dict[str, str]:
    files = {split: _list(root, split) for split in ("train", "test")}
    read = {split: _names_in(file) for split, file in files.items()}
    if both := sorted(set(read["train"]) & set(read["test"]), key=int):
        raise DataError(f"{both[0]} is in {files['train']} and in {files['test']}; take both of one release")
    train, test = len(read["train"]), len(read["test"])
    counts = f"{files['train']} has {train:,} names and {files['test']} {test:,}"
    published = f"published are {PUBLISHED[0]:,} and {PUBLISHED[1]:,}"
    if swap:
        if train > test:
            raise DataError(f"{counts}, not swapped as --swap says; {published}: leave --swap away")
        tell(f"{counts}: --swap takes each for the other")
        read = {"train": read["test"], "test": read["train"]}
    elif train < test:
        tell(f"{counts}: the two may have been swapped; {published}: --swap puts it right")
    elif train + test == sum(PUBLISHED) and (train, test) != PUBLISHED:
        tell(f"{counts}; {published}")
    return {name: split for split, own in read.items() for name in own}


def _names_in(file: Path) -> list[str]:
    """The numbers of faces in a list of names."""
    found = []
    for one in strings_in(file):
        name = one.removesuffix(".jpg").removesuffix(".png")
        if not name.isdecimal():
            raise DataError(f"{file} has the name {one[:40]!r}, and faces are called by numbers; download it again")
        found.append(str(int(name)))
    if not found:
        raise DataError(f"{file} has no names in it; download it again")
    return found


def strings_in(file: Path) -> list[str]:
    """The texts of a pickled list of texts. What else a pickle can hold is refused, and nothing is run.

    Raises DataError.
    """
    found: list[str] = []
    kept: dict[Any, str | None] = {}  # what later places may take again; None: no text
    last: str | None = None  # what a pickle would put by next
    try:
        for operation, value, _ in pickletools.genops(file.read_bytes()):  # takes apart, and runs nothing
            name, number = operation.name, len(kept) if operation.name == "MEMOIZE" else value
            if name in _PUTS:
                kept[number] = last
                continue
            last = value if name in _TEXTS else kept.get(number) if name in _GETS else None
            if last is not None:
                found.append(last)
            elif name not in _LISTS:
                raise DataError(f"{file} holds more than a list of names ({name}) and is not read")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}; take both lists of one release") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is damaged ({error}); download it again") from None
    return found


def _by_mapping(file: Path) -> dict[str, str]:
    """CelebA's own parts: its pictures are numbered, and the mapping says which of them a face is."""
    split_of = {}
    for number, line in enumerate(lines_of(file), 1):
        cells = line.split()
        if number == 1 and not cells[0].isdecimal():
            continue  # the heading
        if len(cells) < 2 or not (cells[0].isdecimal() and cells[1].isdecimal()):
            raise DataError(f"{file}, line {number}: the numbers of a face and of its picture in CelebA were expected")
        original = int(cells[1])
        split_of[str(int(cells[0]))] = "train" if original < _VAL else "val" if original < _TEST else "test"
    if not split_of:
        raise DataError(f"{file} is empty; download it again")
    return split_of
