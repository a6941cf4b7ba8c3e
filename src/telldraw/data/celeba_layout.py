"""A set of faces as files, in the layout of Multi-Modal CelebA-HQ and of CelebAMask-HQ, in one folder.

    CelebA-HQ-img/N.jpg, image/images/N.jpg          the picture, twice, as each of the two calls it
    text/celeba-caption/N.txt                        a caption a line
    label/N.png, sketch/N.png                        region numbers, and dark lines on white; one channel
    CelebAMask-HQ-mask-anno/N // 2000/NNNNN_PART.png a region each, white on black, for those that are there
    CelebAMask-HQ-attribute-anno.txt                 the 40 attributes, 1 or -1
    CelebA-HQ-to-CelebA-mapping.txt                  a number in CelebA for each, by which the splits are CelebA's
    train/filenames.pickle, test/filenames.pickle    lists of names; what is not trained on is in test

Sizes are those of the set, where the owners' pictures have 1024 (512 with captions), their regions 512. Attributes that
the set does not have are -1 throughout.
"""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from telldraw.data.collection import Collection
from telldraw.data.portrait.traits import CELEBA
from telldraw.errors import DataError

STARTS = {"train": 0, "val": 162_771, "test": 182_638}
"""First number of each split in CelebA, from 0, as CelebAMask-HQ's own script parts them: its bounds are one too high,
and so by either count these are in their split."""
_ENDS = {"train": 162_770, "val": 182_637, "test": 202_599}
QUALITY = 95
"""Of JPEG."""


def write_celeba(
    faces: Collection, folder: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Write every face; gives how many. Raises DataError where the folder is not empty or the set has no regions."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is there already and not empty; name another folder")
    if {"regions", "sketch"} - set(faces.maps) or not set(faces.classes) <= set(CELEBA) or faces.channels != 3:
        raise DataError(
            f"{faces.path} has no regions, sketches or CelebA's attributes; telldraw prepare faces makes some"
        )
    splits = {row: split for split, rows in faces.splits.items() for row in rows}
    mapping = _mapping(faces)
    for name in ("CelebA-HQ-img", "image/images", "text/celeba-caption", "label", "sketch", "train", "test"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for row in range(len(faces)):
        _face(faces, row, folder)
        progress(row + 1, len(faces))
    _lines(folder / "CelebAMask-HQ-attribute-anno.txt", _attributes(faces))
    _lines(folder / "CelebA-HQ-to-CelebA-mapping.txt", ["idx\torig_idx\torig_file", *mapping])
    for split in ("train", "test"):
        names = [str(row) for row in range(len(faces)) if (splits.get(row) == "train") == (split == "train")]
        (folder / split / "filenames.pickle").write_bytes(pickle.dumps(names, protocol=2))
    return len(faces)


def _face(faces: Collection, row: int, folder: Path) -> None:
    picture = Image.fromarray(np.ascontiguousarray(faces.images[row].transpose(1, 2, 0)))
    for place in ("CelebA-HQ-img", "image/images"):
        picture.save(folder / place / f"{row}.jpg", quality=QUALITY, subsampling=0)
    _lines(folder / "text" / "celeba-caption" / f"{row}.txt", faces.captions(row))
    regions, sketch = (np.asarray(faces.maps[name].rows)[row] for name in ("regions", "sketch"))
    Image.fromarray(regions).save(folder / "label" / f"{row}.png")
    Image.fromarray(sketch).save(folder / "sketch" / f"{row}.png")
    parts = folder / "CelebAMask-HQ-mask-anno" / str(row // 2000)
    parts.mkdir(parents=True, exist_ok=True)
    for number in np.unique(regions):
        if number:  # the background has no file
            mask = Image.fromarray((regions == number).astype(np.uint8) * 255)
            mask.convert("RGB").save(parts / f"{row:05d}_{faces.maps['regions'].names[number]}.png")


def _attributes(faces: Collection) -> list[str]:
    place = {name: faces.classes.index(name) for name in CELEBA if name in faces.classes}
    rows = []
    for row, shown in enumerate(faces.labels):
        signs = ("1" if name in place and shown[place[name]] else "-1" for name in CELEBA)
        rows.append(f"{row}.jpg {' '.join(signs)}")
    return [str(len(faces)), " ".join(CELEBA), *rows]


def _mapping(faces: Collection) -> list[str]:
    """A line for each face: its number, and one of its split's in CelebA. Raises DataError where there are too few."""
    lines = {}
    for split, rows in faces.splits.items():
        if split not in STARTS or len(rows) > _ENDS[split] - STARTS[split]:
            raise DataError(
                f"{faces.path} has more faces for {split} than CelebA; prepare fewer, or without --as-celeba"
            )
        for number, row in enumerate(rows, STARTS[split]):
            lines[row] = f"{row}\t{number}\t{number + 1:06d}.jpg"
    return [lines[row] for row in sorted(lines)]


def _lines(file: Path, lines: list[str] | tuple[str, ...]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
