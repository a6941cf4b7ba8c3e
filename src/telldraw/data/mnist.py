"""MNIST (LeCun et al. 1998) and sets in its form: four idx files of grey pictures and their labels, gzipped or not."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from telldraw.data import DATASETS
from telldraw.data.archive import Writer
from telldraw.data.collection import write_collection
from telldraw.errors import DataError

FILES = {"train": "train", "test": "t10k"}
VALIDATION = 10_000
"""Pictures at the end of the owner's training part that are kept for validation, as papers do."""


def prepare(
    source: Path,
    out: Path,
    *,
    resolution: int = 28,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Read the idx files in `source`, write the set `out`; gives the number of pictures by split."""
    known, own = read(source, "train"), read(source, "test")
    kept = max(1, min(VALIDATION, len(known[0]) // 6))
    count = len(known[0]) - kept
    images, labels = np.concatenate([known[0], own[0]]), np.concatenate([known[1], own[1]])
    splits = {"train": [0, count], "val": [count, len(known[0])], "test": [len(known[0]), len(images)]}
    facts: dict[str, Any] = {
        "name": "mnist",
        "licence": DATASETS["mnist"].licence,
        "url": DATASETS["mnist"].url,
        "resolution": resolution,
        "channels": 1,
        "classes": [str(digit) for digit in range(10)],
        "many": False,
        "splits": splits,
    }
    pad = resolution - images.shape[1]
    if pad < 0:
        raise DataError(f"--resolution {resolution}: at least {images.shape[1]} is needed, the pictures' own size")

    def blocks(size: int = 10_000) -> Iterator[np.ndarray]:
        for start in range(0, len(images), size):
            progress(start, len(images))
            around = (0, 0), (0, 0), (pad // 2, pad - pad // 2), (pad // 2, pad - pad // 2)
            yield np.pad(images[start : start + size, None], around)
        progress(len(images), len(images))

    with Writer(out, overwrite=overwrite) as writer:
        write_collection(writer, blocks(), np.eye(10, dtype=np.uint8)[labels], facts)
    return {name: ends[1] - ends[0] for name, ends in splits.items()}


def read(source: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """The pictures, uint8 [N, H, W], and labels, uint8 [N], of the part "train" or "test". Raises DataError."""
    begin = FILES[part]
    images, labels = (
        idx(_find(source, f"{begin}-images-idx3-ubyte"), 3),
        idx(_find(source, f"{begin}-labels-idx1-ubyte"), 1),
    )
    if len(images) != len(labels):
        raise DataError(f"{source} has {len(images):,} {part} pictures and {len(labels):,} labels; download it again")
    if len(labels) and labels.max() > 9:
        raise DataError(f"{source}: a {part} label is {labels.max()}, and the classes are 0 to 9")
    return images, labels


def _find(source: Path, name: str) -> Path:
    for ending in ("", ".gz"):
        if (source / f"{name}{ending}").is_file():
            return source / f"{name}{ending}"
    raise DataError(f"{source} has no {name} or {name}.gz; MNIST is four idx files, from {DATASETS['mnist'].url}")


def idx(path: Path, dimensions: int) -> np.ndarray:
    """An idx file of bytes: uint8 with so many dimensions. Raises DataError when it is damaged or something else."""
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged or cut short ({error}); download it again") from None
    head = 4 + 4 * dimensions
    if len(data) < head or data[:4] != bytes([0, 0, 8, dimensions]):
        raise DataError(f"{path} is no idx file of bytes with {dimensions} dimensions; download it again")
    shape = tuple(np.frombuffer(data, ">u4", dimensions, 4).astype(int))
    if len(data) - head != int(np.prod(shape)):
        raise DataError(
            f"{path} is cut short: it holds {len(data) - head:,} of {int(np.prod(shape)):,} bytes; download it again"
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)
