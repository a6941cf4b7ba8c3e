"""MS-COCO's captioned pictures (Chen et al. 2015, arXiv:1504.00325).

    annotations/captions_train2014.json, annotations/captions_val2014.json, train2014/*.jpg, val2014/*.jpg; or 2017
    annotations/instances_train2014.json, ..._val2014.json, where the objects are wanted as labels

The owner's train part is trained on, the val part tested on, as GAN-CLS and StackGAN do: captions of the owner's test
part are not public.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from telldraw.data import DATASETS
from telldraw.data.captioned import How, Picture, Report, first_of, store
from telldraw.data.faults import LeftOut
from telldraw.errors import DataError

PARTS = {"train": "train", "val": "test"}
"""The owner's name of a part -> ours."""


def prepare_coco(source: Path, out: Path, how: How, *, labels: bool = False) -> Report:
    """Read MS-COCO, with `labels` its 80 kinds of objects too, write the set `out`. Raises DataError."""
    places = ("annotations/captions_train2014.json", "annotations/captions_train2017.json")
    year = first_of(source, places, "captions of MS-COCO").stem[-4:]
    left_out, pictures, classes = LeftOut(how.tell, strict=how.strict), [], []
    for part, split in PARTS.items():
        file = source / "annotations" / f"captions_{part}{year}.json"
        folder = first_of(source, (f"{part}{year}", f"images/{part}{year}"), f"pictures of {part}{year}")
        shown: dict[int, set[int]] = defaultdict(set)
        if labels:
            classes, shown = _objects(source / "annotations" / f"instances_{part}{year}.json", classes)
        told: dict[int, list[str]] = defaultdict(list)
        document = _read(file, ("images", "annotations"))
        for one in _rows(file, document, "annotations", ("image_id", "caption")):
            told[one["image_id"]].append(" ".join(str(one["caption"]).split()))
        for one in _rows(file, document, "images", ("id", "file_name")):
            captions = [caption for caption in told.pop(one["id"], []) if caption]
            if not captions:
                left_out(one["file_name"], f"{file} has no caption for {one['file_name']}")
                continue
            pictures.append(Picture(folder / one["file_name"], split, tuple(sorted(shown[one["id"]])), captions))
        for number in told:
            left_out(f"picture {number}", f"{file} has captions for a picture {number}, and no such picture")
    owner = DATASETS["coco"]
    facts = {"name": "coco", "licence": owner.licence, "url": owner.url, "classes": classes, "many": labels}
    return store(out, pictures, facts, left_out, how)


def _objects(file: Path, known: list[str]) -> tuple[list[str], dict[int, set[int]]]:
    """The kinds of objects, and which each picture has."""
    document = _read(file, ("annotations", "categories"))
    kinds = {one["id"]: one["name"] for one in _rows(file, document, "categories", ("id", "name"))}
    numbers = {kind: place for place, kind in enumerate(sorted(kinds))}
    classes = [kinds[kind] for kind in numbers]
    if known and classes != known:
        raise DataError(f"{file} has other kinds of objects than the file of the part before; take both of one release")
    shown: dict[int, set[int]] = defaultdict(set)
    for one in _rows(file, document, "annotations", ("image_id", "category_id")):
        if one["category_id"] not in numbers:
            raise DataError(
                f"{file} has an object of kind {one['category_id']}, which it does not name; unpack it again"
            )
        shown[one["image_id"]].add(numbers[one["category_id"]])
    return classes, shown


def _read(file: Path, parts: tuple[str, ...]) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{file} is missing; unpack the annotations again") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{file} is not whole JSON ({error}); unpack the annotations again") from None
    if not isinstance(document, dict) or not all(isinstance(document.get(part), list) for part in parts):
        raise DataError(f"{file} has no lists {' and '.join(parts)}; these are no annotations of MS-COCO")
    return document


def _rows(file: Path, document: dict[str, Any], part: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    for number, one in enumerate(document[part], 1):
        if not isinstance(one, dict) or not all(key in one for key in keys):
            raise DataError(
                f"{file}: entry {number:,} of {part} lacks {' or '.join(keys)}; unpack the annotations again"
            )
    return document[part]
