"""MS-COCO's captioned pictures (Chen et al. 2015, arXiv:1504.00325).

    annotations/captions_train2014.json, annotations/captions_val2014.json, train2014/*.jpg, val2014/*.jpg; or 2017
    annotations/instances_train2014.json, ..._val2014.json, where the objects are wanted as labels

The owner's train part is trained on, the val part tested on, as GAN-CLS and StackGAN do: captions of the owner's test
part are not public.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from telldraw.data import DATASETS
from telldraw.data.captioned import How, Picture, Report, first_of, folder_of, store
from telldraw.data.captions import is_text
from telldraw.data.faults import LeftOut
from telldraw.errors import DataError
from telldraw.text import shorten

PARTS = {"train": "train", "val": "test"}
"""The owner's name of a part -> ours."""
AGAIN = "unpack the annotations again"


class _Listed(NamedTuple):
    """A picture of a file of captions."""

    file: Path
    number: int
    name: str


def prepare_coco(source: Path, out: Path, how: How, *, labels: bool = False) -> Report:
    """Read MS-COCO, with `labels` its 80 kinds of objects too, write the set `out`. Raises DataError."""
    places = ("annotations/captions_train2014.json", "annotations/captions_train2017.json")
    year = first_of(source, places, "captions of MS-COCO").stem[-4:]
    left_out, pictures, classes = LeftOut(how.tell, strict=how.strict), [], []
    known: dict[int | str, _Listed] = {}
    for part, split in PARTS.items():
        file = source / "annotations" / f"captions_{part}{year}.json"
        folder = folder_of(source, (f"{part}{year}", f"images/{part}{year}"), f"pictures of {part}{year}")
        shown: dict[int, set[int]] = defaultdict(set)
        if labels:
            classes, shown = _objects(file.with_name(f"instances_{part}{year}.json"), classes)
        document = _read(file, ("images", "annotations"))
        listed = _listed(file, document, known, left_out)
        told = _told(file, document, {one.number: one.name for one in listed}, left_out)
        if shown and not any(one.number in shown for one in listed):
            objects = file.with_name(f"instances_{part}{year}.json")
            raise DataError(f"{objects} has objects of none of the pictures of {file.name}; take both of one part")
        for one in listed:
            if not told[one.number]:
                left_out(one.name, f"{file} has no caption for {one.name}; {AGAIN}")
                continue
            pictures.append(Picture(folder / one.name, split, tuple(sorted(shown[one.number])), told[one.number]))
    owner = DATASETS["coco"]
    facts = {"name": "coco", "licence": owner.licence, "url": owner.url, "classes": classes, "many": labels}
    return store(out, pictures, facts, left_out, how)


def _listed(file: Path, document: dict[str, Any], known: dict[int | str, _Listed], left_out: LeftOut) -> list[_Listed]:
    """The pictures of a part, added to those `known` by number and by name. Raises DataError for one that is known."""
    listed = []
    for row in _rows(file, document, "images", {"id": int, "file_name": str}):
        place = Path(row["file_name"].replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or not place.name:
            raise DataError(
                f"{file} has a picture {shorten(row['file_name'])!r}, and a name inside the folder of the pictures was "
                f"expected; {AGAIN}"
            )
        one = _Listed(file, row["id"], place.as_posix())
        before = known.get(one.number) or known.get(one.name)
        if before == one:
            left_out(one.name, f"{file} has {one.name} twice, and the first is read; {AGAIN}")
            continue
        if before is not None:
            raise DataError(
                f"{file} has the picture {one.number}, {one.name}, and {before.file.name} the picture "
                f"{before.number}, {before.name}: a picture has one number and one name, and what is trained on is "
                f"not tested on; {AGAIN}"
            )
        known[one.number] = known[one.name] = one
        listed.append(one)
    return listed


def _told(
    file: Path, document: dict[str, Any], names: dict[int, str], left_out: LeftOut
) -> defaultdict[int, list[str]]:
    """The captions of each picture by its number, of those that have a name; others, and what is none, are left out."""
    told: defaultdict[int, list[str]] = defaultdict(list)
    strangers: set[int] = set()
    for place, row in enumerate(_rows(file, document, "annotations", {"image_id": int, "caption": None}), 1):
        number, caption = row["image_id"], row["caption"]
        if number not in names:
            strangers.add(number)
        elif not is_text(caption) or not caption.split():
            what = (
                f"{file}: entry {place:,} of annotations, of {names[number]}, has {shorten(repr(caption))} as a caption"
            )
            left_out(f"a caption of {names[number]}", f"{what} and no text; {AGAIN}")
        else:
            told[number].append(" ".join(caption.split()))
    for number in sorted(strangers):
        left_out(f"picture {number}", f"{file} has captions for a picture {number}, and no such picture; {AGAIN}")
    return told


def _objects(file: Path, known: list[str]) -> tuple[list[str], dict[int, set[int]]]:
    """The kinds of objects, and which each picture has."""
    document = _read(file, ("annotations", "categories"))
    rows = _rows(file, document, "categories", {"id": int, "name": str})
    kinds = {one["id"]: one["name"] for one in rows}
    if len(set(kinds.values())) < len(rows):
        raise DataError(f"{file} has a kind of objects twice in categories; {AGAIN}")
    numbers = {kind: place for place, kind in enumerate(sorted(kinds))}
    classes = [kinds[kind] for kind in numbers]
    if known and classes != known:
        raise DataError(f"{file} has other kinds of objects than the file of the part before; take both of one release")
    shown: dict[int, set[int]] = defaultdict(set)
    for one in _rows(file, document, "annotations", {"image_id": int, "category_id": int}):
        if one["category_id"] not in numbers:
            raise DataError(f"{file} has an object of kind {one['category_id']}, which it does not name; {AGAIN}")
        shown[one["image_id"]].add(numbers[one["category_id"]])
    return classes, shown


def _read(file: Path, parts: tuple[str, ...]) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{file} is missing; {AGAIN}") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {str(error.strerror).lower()}; {AGAIN}") from None
    except ValueError as error:
        raise DataError(f"{file} is not whole JSON ({error}); {AGAIN}") from None
    except RecursionError:
        raise DataError(f"{file} has lists in lists, too deep to be read; {AGAIN}") from None
    if not isinstance(document, dict) or not all(isinstance(document.get(part), list) for part in parts):
        raise DataError(f"{file} has no lists {' and '.join(parts)}; these are no annotations of MS-COCO")
    return document


def _rows(file: Path, document: dict[str, Any], part: str, kinds: dict[str, type | None]) -> list[dict[str, Any]]:
    """The entries of a list. kinds: what each key of an entry holds, int or str; None where that is seen to later."""
    for number, one in enumerate(document[part], 1):
        if not isinstance(one, dict) or not all(key in one for key in kinds):
            raise DataError(f"{file}: entry {number:,} of {part} lacks {' or '.join(kinds)}; {AGAIN}")
        for key, kind in kinds.items():
            if kind is str and not is_text(one[key]) or kind is int and type(one[key]) is not int:
                what = "text" if kind is str else "a whole number"
                value = shorten(repr(one[key]))
                raise DataError(f"{file}: entry {number:,} of {part} has {value} as {key} and not {what}; {AGAIN}")
    return document[part]
