"""Multi-Modal CelebA-HQ (Xia et al., CVPR 2021): faces of CelebA-HQ, ten captions each, made from their attributes.

image/images/N.jpg, images/N.jpg or CelebA-HQ-img/N.jpg      text/celeba-caption/N.txt or celeba-caption/N.txt
train/filenames.pickle and test/filenames.pickle: lists of names, read without running what else a pickle may hold;
without them the first four fifths by number are trained on, as the author says of them
CelebAMask-HQ-attribute-anno.txt, if it is there: 40 attributes as labels
"""

import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telldraw.data import DATASETS
from telldraw.data.captioned import How, Picture, Report, captions_in, first_of, lines_of, store
from telldraw.data.faults import LeftOut
from telldraw.errors import DataError

CAPTIONS = 10
ATTRIBUTES = "CelebAMask-HQ-attribute-anno.txt"
_TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING"}
_LISTS = {"PROTO", "FRAME", "EMPTY_LIST", "LIST", "MARK", "APPEND", "APPENDS", "STOP"}
_LISTS |= {"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"}


def prepare_celeba(source: Path, out: Path, how: How) -> Report:
    """Read Multi-Modal CelebA-HQ, write the set `out`. Raises DataError naming what is wrong."""
    folder = first_of(source, ("image/images", "images", "CelebA-HQ-img", "image"), "pictures of CelebA-HQ")
    texts = first_of(source, ("text/celeba-caption", "celeba-caption", "text"), "captions of the faces")
    files = {file.stem: file for file in folder.glob("*.jpg") if file.stem.isdecimal()}
    if not files:
        raise DataError(f"{folder} has no pictures called 0.jpg, 1.jpg, ...; unpack them again")
    names = sorted(files, key=int)
    split_of = _splits(source, names, how)
    classes, shown = _attributes(source / ATTRIBUTES)
    left_out, pictures = LeftOut(how.tell, strict=how.strict), []
    for name in names:
        try:
            if name not in split_of:
                raise DataError(f"{files[name]} is in neither filenames.pickle; take both of one release")
            captions = captions_in(texts / f"{name}.txt", CAPTIONS)
        except DataError as error:
            left_out(files[name].name, str(error))
            continue
        pictures.append(Picture(files[name], split_of[name], shown.get(name, ()), captions))
    for name in sorted(set(split_of) - set(files)):
        left_out(name, f"{folder / name}.jpg is missing, and filenames.pickle has it; unpack the pictures again")
    owner = DATASETS["mm-celeba"]
    facts: dict[str, Any] = {"name": "mm-celeba", "licence": owner.licence, "url": owner.url}
    return store(out, pictures, facts | {"classes": classes, "many": bool(classes)}, left_out, how)


def _splits(source: Path, names: Sequence[str], how: How) -> dict[str, str]:
    lists = {split: source / split / "filenames.pickle" for split in ("train", "test")}
    there = [file for file in lists.values() if file.is_file()]
    if not there:
        count = len(names) * 4 // 5
        how.tell(f"{source} has no lists of names: the first {count:,} of {len(names):,} pictures are trained on")
        return {name: "train" if place < count else "test" for place, name in enumerate(names)}
    read = {split: strings_in(file) for split, file in lists.items()}
    if both := sorted(set(read["train"]) & set(read["test"])):
        raise DataError(f"{both[0]} is in {lists['train']} and in {lists['test']}; take both of one release")
    if len(read["train"]) < len(read["test"]):
        how.tell(
            f"{lists['train']} has {len(read['train']):,} names and {lists['test'].name} beside it "
            f"{len(read['test']):,}: the two may have been swapped; published are 24,000 and 6,000"
        )
    return {name: split for split, own in read.items() for name in own}


def strings_in(file: Path) -> list[str]:
    """The texts of a pickled list of texts. What else a pickle can hold is refused, and nothing is run.

    Raises DataError.
    """
    found = []
    try:
        for operation, value, _ in pickletools.genops(file.read_bytes()):  # takes apart, and runs nothing
            if operation.name in _TEXTS:
                found.append(value)
            elif operation.name not in _LISTS:
                raise DataError(f"{file} holds more than a list of names ({operation.name}) and is not read")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}; take both lists of one release") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is damaged ({error}); download it again") from None
    return found


def _attributes(file: Path) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """The attributes' names, and which each face has; none where there is no such file."""
    if not file.is_file():
        return [], {}
    lines, shown = lines_of(file), {}
    names = lines[1].split() if len(lines) > 1 else []
    if not names:
        raise DataError(f"{file} does not name attributes in its second line; download it again")
    for number, row in enumerate(lines[2:], 3):
        name, *values = row.split()
        if len(values) != len(names) or not set(values) <= {"1", "-1"}:
            raise DataError(f"{file}, line {number}: a picture and {len(names)} times 1 or -1 was expected")
        shown[name.rpartition(".")[0]] = tuple(place for place, value in enumerate(values) if value == "1")
    return names, shown
