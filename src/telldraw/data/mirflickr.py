"""MIRFlickr-25000 (Huiskes and Lew 2008) as its owners distribute it: photographs, and the tags of those who took them.

    im1.jpg ... im25000.jpg        meta/tags/tags1.txt ... tags25000.txt: a tag a line
    annotations, unpacked anywhere: sky.txt, baby.txt, baby_r1.txt, ...: numbers of pictures, a line each

As in Mirza and Osindero 2014, Sec. 4.2: pictures without tags are left out, annotations are tags too, and the pictures
that make the first 150,000 (picture, tag) pairs are for training. The paper does not say how the rest was used; here
its pictures go to validation and test in turn.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from telldraw.data import DATASETS, word_vectors
from telldraw.data.archive import Writer
from telldraw.data.tagged import MINIMUM, SPLITS, Look, Report, by_split, labelled, seen, store, vocabulary
from telldraw.errors import DataError

PAIRS = 150_000
"""Pairs of a picture and a tag that are trained on, as in the paper."""
_PICTURE, _TAGS = re.compile(r"im(\d+)\.jpg"), "meta/tags"
_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


class Photograph(NamedTuple):
    """A picture file and its tags."""

    number: int  # the owner's, from 1
    path: Path
    tags: frozenset[str]


def read(folder: Path, annotations: Path | None = None) -> list[Photograph]:
    """The photographs that have tags, by number. Raises DataError with what to put where."""
    root = next((place for place in (folder, folder / "mirflickr") if (place / _TAGS).is_dir()), None)
    if root is None:
        raise DataError(
            f"{folder} has no folder {_TAGS}; it should hold im1.jpg, im2.jpg, ... and meta/tags of mirflickr25k.zip"
        )
    files = sorted((int(match[1]), path) for path in root.iterdir() if (match := _PICTURE.fullmatch(path.name)))
    if not files:
        raise DataError(f"{root} has no pictures im1.jpg, im2.jpg, ...; unpack mirflickr25k.zip there")
    annotated = _annotations(annotations) if annotations is not None else {}
    found = []
    for number, path in files:
        own = root / _TAGS / f"tags{number}.txt"
        try:
            lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise DataError(f"{own} cannot be read ({error.strerror}); unpack mirflickr25k.zip again") from None
        tags = {line.strip().lower() for line in lines} - {""} | annotated.get(number, set())
        if tags:
            found.append(Photograph(number, path, frozenset(tags)))
    if not found:
        raise DataError(f"no picture in {root} has a tag")
    return found


def _annotations(folder: Path) -> dict[int, set[str]]:
    """The annotations of each picture: `sky.txt` has the numbers of the pictures with sky.

    Those of `sky_r1.txt`, the clearest of them, are among these, and add nothing.
    """
    files = [path for path in sorted(folder.glob("*.txt")) if path.stem.lower() != "readme"]
    if not files:
        raise DataError(f"--annotations {folder} has no files such as sky.txt; unpack mirflickr25k_annotations there")
    found: dict[int, set[str]] = {}
    for path in files:
        for line, text in enumerate(path.read_text(encoding="utf-8", errors="replace").split(), 1):
            if not text.isdecimal():
                raise DataError(f"{path}, line {line}: {text[:20]!r} is no number of a picture")
            found.setdefault(int(text), set()).add(path.stem.removesuffix("_r1"))
    return found


def divide(photographs: list[Photograph], pairs: int) -> list[tuple[str, Photograph]]:
    """Say to which split each photograph belongs, in the order of the splits."""
    divided, at, rest = [], 0, 0
    for photograph in photographs:
        at += len(photograph.tags)
        split = "train" if at <= pairs else SPLITS[1 + rest % 2]
        rest += split != "train"
        divided.append((split, photograph))
    return sorted(divided, key=lambda pair: SPLITS.index(pair[0]))


def prepare(
    folder: Path,
    out: Path,
    look: Look | None,
    *,
    features: Path | None = None,
    side: int = 64,
    annotations: Path | None = None,
    vectors: Path | None = None,
    dim: int = 200,
    minimum: int = MINIMUM,
    pairs: int = PAIRS,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Read the distribution, and store pictures (the middle square, `side` pixels), features, tags and word vectors.

    Features are those that `look` sees, or the rows of the file `features` (.npy, float [25000, D]; row n - 1 is of
    im{n}.jpg). Word vectors are read from the file `vectors`, or learnt by skip-gram from the tags of the training
    pictures, in which all tags of a picture are each other's neighbours. Raises DataError.
    """
    with Writer(out, overwrite=overwrite) as writer:
        tell(f"reading {folder}")
        divided = divide(read(folder, annotations), pairs)
        train = [photograph.tags for split, photograph in divided if split == "train"]
        words = vocabulary(train, minimum, lambda tag: True)
        if vectors is None:
            longest = max(map(len, train))
            learnt = word_vectors.skip_gram([sorted(tags) for tags in train], words, dim, window=longest)
        else:
            learnt = word_vectors.read(vectors, words)
        labels, kept = labelled([photograph.tags for _, photograph in divided], learnt.words)
        left_out = [f"im{divided[row][1].number}" for row in np.nonzero(~kept)[0]]
        divided, labels = [one for one, keep in zip(divided, kept, strict=True) if keep], labels[kept]
        numbers = [photograph.number for _, photograph in divided]
        if features is not None:
            table = _features(features, max(numbers))
            looking = Look(_rows_of(table, numbers), side, None, {"file": features.name})
        elif look is not None:
            looking = look
        else:
            raise ValueError("neither a network nor features were given")
        tell(f"reading {len(divided):,} pictures")
        images, found = seen(_blocks([one.path for _, one in divided], looking.side), looking, len(divided), progress)
        owner = DATASETS["mirflickr"]
        facts = {
            "name": "mirflickr",
            "licence": owner.licence,
            "url": owner.url,
            "resolution": looking.side,
            "channels": 3,
            "ids": [f"im{number}" for number in numbers],
            "left out": [[name, "it has no tag of the vocabulary"] for name in left_out],
        }
        splits = by_split([split for split, _ in divided])
        return store(
            writer, facts, images=images, labels=labels, splits=splits, features=found, learnt=learnt, look=looking
        )


def _features(path: Path, count: int) -> np.ndarray:
    """Given features, checked: float32 [at least `count`, D]."""
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"--features {path} cannot be read as an array ({error}); a .npy file was expected") from None
    if not isinstance(table, np.ndarray) or table.ndim != 2 or not np.issubdtype(table.dtype, np.floating):
        raise DataError(f"--features {path}: an array of numbers [pictures, features] was expected")
    if len(table) < count:
        raise DataError(f"--features {path} has {len(table):,} rows, and there is a picture im{count}.jpg")
    if not np.isfinite(table).all():
        raise DataError(f"--features {path} has a number that is not finite")
    return table


def _rows_of(table: np.ndarray, numbers: list[int]) -> Callable[[np.ndarray], np.ndarray]:
    """Gives the rows of the pictures one block after the other, whatever the pictures are."""
    at = iter(numbers)
    return lambda block: np.stack([table[next(at) - 1] for _ in block]).astype(np.float32)


def _blocks(paths: list[Path], side: int, size: int = 64) -> Iterator[np.ndarray]:
    for start in range(0, len(paths), size):
        yield np.stack([_pixels(path, side) for path in paths[start : start + size]])


def _pixels(path: Path, side: int) -> np.ndarray:
    """The middle square of a picture, uint8 [3, side, side]."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (side, side))
            image = image.convert("RGB")
    except _UNREADABLE as error:
        raise DataError(f"{path} cannot be read as a picture ({error}); unpack mirflickr25k.zip again") from None
    least = min(image.size)
    left, top = (image.width - least) // 2, (image.height - least) // 2
    box = (left, top, left + least, top + least)
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS, box=box)).transpose(2, 0, 1).copy()
