"""MNIST (LeCun et al. 1998), Fashion-MNIST (Xiao et al. 2017) and sets in their form: four idx files, gzipped or not.

Both sets come in files of the same names; which one a folder holds is decided by the MD5 sums of the files' contents.
"""

import gzip
import hashlib
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from telldraw.data import DATASETS
from telldraw.data.archive import Writer
from telldraw.data.collection import write_collection
from telldraw.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
VALIDATION = 10_000
"""Pictures at the end of the owner's training part that are kept for validation, as papers do."""
PADDED = {28: 32}
"""Sizes that are reached by a border of zeros: side of the owner's pictures -> side."""
CLASSES = 10

_DIGITS = tuple(str(digit) for digit in range(CLASSES))


@dataclass(frozen=True)
class Known:
    """A set whose files are known by their sums."""

    title: str
    licence: str
    url: str
    classes: tuple[str, ...]
    md5: tuple[str, ...]
    """Of the contents of the four `FILES`, not gzipped."""


SETS: dict[str, Known] = {
    "mnist": Known(
        "MNIST",
        DATASETS["mnist"].licence,
        DATASETS["mnist"].url,
        _DIGITS,
        (
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ),
    "fashion-mnist": Known(
        "Fashion-MNIST",
        "MIT (Zalando SE)",
        "https://github.com/zalandoresearch/fashion-mnist",
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        (
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
    ),
}
UNKNOWN = "idx"
"""Name of a set whose sums are not known."""


class Loaded(NamedTuple):
    """The four files, checked."""

    name: str  # a key of SETS, or UNKNOWN
    unknown: tuple[Path, ...]  # files whose sums are not known
    images: tuple[np.ndarray, np.ndarray]  # train and test: uint8 [N, S, S]
    labels: tuple[np.ndarray, np.ndarray]  # uint8 [N]

    @property
    def known(self) -> Known:
        """What is known of the set."""
        return SETS.get(self.name) or Known("unknown", "not known", "not known", _DIGITS, ())


def load(source: Path) -> Loaded:
    """Read and check the idx files in `source`. Raises DataError with what is wrong, and where."""
    if not source.is_dir():
        raise DataError(f"there is no folder {source}; it should hold {FILES[0]}.gz and the other three files of MNIST")
    paths = [_find(source, name) for name in FILES]
    contents = [_content(path) for path in paths]
    arrays = [
        idx(path, data, 3 if "images" in name else 1) for path, data, name in zip(paths, contents, FILES, strict=True)
    ]
    train, train_labels, test, test_labels = arrays
    for images, labels, where in ((train, train_labels, paths[0]), (test, test_labels, paths[2])):
        _check(images, labels, where)
    if train.shape[1:] != test.shape[1:]:
        sizes = " and ".join(f"{images.shape[2]} x {images.shape[1]}" for images in (train, test))
        raise DataError(f"the pictures of {paths[0]} and {paths[2].name} are {sizes} pixels; take both of one set")
    if len(train) < 2:
        raise DataError(f"{paths[0]} has a single picture; of two or more one is kept for validation")
    sums = [hashlib.md5(data, usedforsecurity=False).hexdigest() for data in contents]
    sets = [next((name for name, known in SETS.items() if known.md5[at] == value), "") for at, value in enumerate(sums)]
    if len(some := sorted(set(sets) - {""})) > 1:
        one, other = (next(path for path, name in zip(paths, sets, strict=True) if name == some[n]) for n in (0, 1))
        raise DataError(
            f"{one} is {SETS[some[0]].title}'s and {other.name} {SETS[some[1]].title}'s; take all four of one set"
        )
    unknown = tuple(path for path, name in zip(paths, sets, strict=True) if not name)
    return Loaded(UNKNOWN if unknown else sets[0], unknown, (train, test), (train_labels, test_labels))


def prepare(
    loaded: Loaded,
    out: Path,
    *,
    resolution: int = 28,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Write the set `out`; gives the number of pictures by split. Raises DataError when `out` cannot be written."""
    (known, own), known_labels = loaded.images, loaded.labels[0]
    held = max(1, min(VALIDATION, len(known) // 6))
    at = 0, len(known) - held, len(known), len(known) + len(own)
    splits = {name: [at[n], at[n + 1]] for n, name in enumerate(("train", "val", "test"))}
    total, side = at[-1], known.shape[1]
    way = "as it is" if resolution == side else "padded" if PADDED.get(side) == resolution else "resampled"

    def blocks(size: int = 2_000) -> Iterator[np.ndarray]:
        done = 0
        progress(0, total)
        for images in loaded.images:
            for start in range(0, len(images), size):
                block = images[start : start + size]
                yield fitted(block, resolution, way)[:, None]
                done += len(block)
                progress(done, total)

    facts = {
        "name": loaded.name,
        "prepare": "mnist",
        "licence": loaded.known.licence,
        "url": loaded.known.url,
        "resolution": resolution,
        "channels": 1,
        "classes": loaded.known.classes,
        "many": False,
        "splits": splits,
        "fit": way,
    }
    labels = np.eye(CLASSES, dtype=np.uint8)[np.concatenate([known_labels, loaded.labels[1]])]
    with Writer(out, overwrite=overwrite) as writer:
        write_collection(writer, blocks(), labels, facts)
    return {name: ends[1] - ends[0] for name, ends in splits.items()}


def fitted(images: np.ndarray, side: int, way: str) -> np.ndarray:
    """uint8 [N, S, S] -> uint8 [N, side, side]: as they are, with a border of zeros ("padded"), or resampled."""
    if way == "resampled":
        size = side, side
        return np.stack([np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BICUBIC)) for one in images])
    pad = side - images.shape[1]
    return np.pad(images, ((0, 0), (pad // 2, pad - pad // 2), (pad // 2, pad - pad // 2)))


# --- files --------------------------------------------------------------------------------------------------------


def idx(path: Path, data: bytes, dimensions: int) -> np.ndarray:
    """The bytes of an idx file: uint8 with so many dimensions. Raises DataError when it is damaged or something else.

    The form: two zero bytes, the type (8: unsigned bytes), the number of dimensions, each as a big-endian uint32.
    """
    head, wanted = 4 + 4 * dimensions, bytes([0, 0, 8, dimensions])
    if data[:4] != wanted:
        what = f"begins with {data[:4].hex(' ') or 'nothing'} where {wanted.hex(' ')} was expected"
        raise DataError(f"{path} {what}: it is no idx file of bytes with {dimensions} dimensions; download it again")
    shape = tuple(int(n) for n in np.frombuffer(data[4:head].ljust(4 * dimensions, b"\0"), ">u4"))
    size = head + math.prod(shape)
    if len(data) != size:
        how = "is cut short" if len(data) < size else "has a tail that does not belong to it"
        raise DataError(f"{path} {how}: it has {len(data):,} bytes where {size:,} are announced; download it again")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _find(source: Path, name: str) -> Path:
    for stem in (name, name.replace("-idx", ".idx")):  # both ways of writing them are about
        for ending in ("", ".gz"):
            if (source / f"{stem}{ending}").is_file():
                return source / f"{stem}{ending}"
    raise DataError(f"{source} has no {name} or {name}.gz; MNIST is four idx files, from {DATASETS['mnist'].url}")


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw  # whatever it is called
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged or cut short ({error}); download it again") from None


def _check(images: np.ndarray, labels: np.ndarray, where: Path) -> None:
    if len(images) != len(labels):
        raise DataError(f"{where} has {len(images):,} pictures and its labels are {len(labels):,}; download both again")
    if not images.size:
        raise DataError(f"{where} has no pictures; download it again")
    if images.shape[1] != images.shape[2]:
        raise DataError(f"the pictures of {where} are {images.shape[2]} x {images.shape[1]} pixels, and not square")
    if labels.max() >= CLASSES:
        at = int(np.argmax(labels >= CLASSES))
        raise DataError(f"picture {at + 1:,} of {where} has the label {labels[at]}, and the classes are 0 to 9")
