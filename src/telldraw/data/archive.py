"""The one stored form of a prepared data set: a folder of plain arrays, mapped into memory, and a manifest.

Chosen by measurement (`benchmarks/storage.py`, `docs/data/codraw.md`). The folder gets its name only when it is
whole: it is written as `NAME.part`, flushed, and renamed; the manifest holds the size and checksum of every file.

    manifest.json    what it is: name, owner, licence, protocol, resolution, classes, counts, sizes and checksums
    vocabulary.json  the words by number
    dialogues.json   by split: owner's id, first row, row after the last
    images.npy       uint8 [N, 3, H, W], one row per turn      background.npy  uint8 [H, W, 3]
    objects.npy      uint8 [N, C]                              position.npy    float32 [N, C, 3]
    words.npy        int32, all rows end to end                words_at.npy    int64 [N + 1], where each row starts
    said.npy         UTF-8 bytes, likewise                     said_at.npy     int64 [N + 1]
"""

import json
import math
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from telldraw.errors import DataError
from telldraw.text import Vocabulary

try:
    import fcntl
except ImportError:  # Windows: two runs into one place are not noticed there
    fcntl = None

if TYPE_CHECKING:
    from telldraw.batches import Facts

Opened = TypeVar("Opened")
FORMAT, VERSION = "telldraw dialogues", 1
MANIFEST = "manifest.json"
_CHECKED_AT_OPEN = 4 << 20  # bytes: the checksums of files up to this size are verified whenever a set is opened
_BLOCK = 16 << 20
_LOCK = "lock"  # in the folder while it is being written


class Dialogue(NamedTuple):
    """One dialogue: its turns are the rows start <= row < stop."""

    id: str  # the owner's
    start: int
    stop: int


# --- writing ------------------------------------------------------------------------------------------------------


class Writer:
    """Writes a prepared data set as a whole or not at all; use it as a context and call `finish` at its end."""

    def __init__(self, out: Path, *, overwrite: bool = False) -> None:
        """Raise DataError when `out` is there already and `overwrite` is not asked for, or is no data set."""
        self.out, self.part = out, out.with_name(out.name + ".part")
        self.left_over = self.part.exists()
        """Whether an earlier run left a half-written set here; it is removed."""
        self._files: dict[str, dict[str, int]] = {}
        self._held: IO[bytes] | None = None
        if out.exists() and not (out / MANIFEST).is_file():
            raise DataError(f"{out} exists and is no prepared data set; name another place with --out")
        if out.exists() and not overwrite:
            raise DataError(f"{out} is there already; add --overwrite to prepare it again, or name another with --out")

    def __enter__(self) -> "Writer":
        self.out.parent.mkdir(parents=True, exist_ok=True)
        if self.left_over:
            _lock(self.part).close()  # raises when another run is at work in it
            _remove(self.part)
        self.part.mkdir()
        self._held = _lock(self.part)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:  # not finished
            self._held.close()
            _remove(self.part)
        if isinstance(error, OSError):
            raise DataError(f"{self.out} could not be written: {error}") from error

    def array(self, name: str, array: np.ndarray) -> None:
        """Write one array."""
        self.rows(name, array.shape, array.dtype, [array])

    def rows(self, name: str, shape: tuple[int, ...], dtype: Any, blocks: Iterable[np.ndarray]) -> None:
        """Write an array of known shape from blocks of its rows, one after the other: memory holds one at a time."""
        dtype = np.dtype(dtype)
        needed, free = math.prod(shape) * dtype.itemsize, shutil.disk_usage(self.part).free
        if needed > free:
            place = self.out.parent.absolute()
            raise DataError(
                f"{name} takes {needed / 1e9:.2f} GB and {place} has {free / 1e9:.2f} free; use another --out"
            )
        with (self.part / name).open("xb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            count, checksum = 0, _checksum(self.part / name)
            for block in blocks:
                data = np.ascontiguousarray(block, dtype).reshape(-1).view(np.uint8).data
                file.write(data)
                checksum = zlib.crc32(data, checksum)
                count += len(block)
            if shape and count != shape[0]:
                raise ValueError(f"{name}: {count} rows were given, {shape[0]} announced")
            self._close(name, file, checksum)

    def text(self, name: str, text: str) -> None:
        """Write one text file."""
        data = text.encode("utf-8")
        with (self.part / name).open("xb") as file:
            file.write(data)
            self._close(name, file, zlib.crc32(data))

    def copy(self, name: str, source: Path) -> None:
        """Copy one file; `name` may be in a folder of its own, such as network/config.json."""
        (self.part / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source, self.part / name)
        with (self.part / name).open("rb+") as file:
            file.seek(0, os.SEEK_END)
            self._close(name, file, _checksum(self.part / name))

    def _close(self, name: str, file: Any, checksum: int) -> None:
        file.flush()
        os.fsync(file.fileno())
        self._files[name] = {"bytes": file.tell(), "crc32": checksum}

    def finish(self, facts: dict[str, Any], kind: tuple[str, int] = (FORMAT, VERSION)) -> None:
        """Write the manifest, make everything durable, and give the folder its name. `kind`: its form and version."""
        manifest = {"format": kind[0], "version": kind[1], **facts, "files": dict(self._files)}
        self.text(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        if self._held is not None:
            self._held.close()
            self._held = None
        (self.part / _LOCK).unlink()
        _flush_folder(self.part)
        if self.out.exists():  # the old one steps aside first: a folder cannot be renamed onto a full one
            old = self.out.with_name(self.out.name + ".old.part")
            if old.exists():
                _remove(old)
            os.rename(self.out, old)
            os.rename(self.part, self.out)
            _remove(old)
        else:
            os.rename(self.part, self.out)
        _flush_folder(self.out.parent)


def end_to_end(rows: Sequence[np.ndarray], dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows of unequal length -> all of them in one array, and where each starts (int64 [N + 1])."""
    at = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=at[1:])
    return np.concatenate([np.zeros(0, dtype), *rows]).astype(dtype), at


def write_words(
    writer: Writer,
    vocabulary: Vocabulary,
    splits: dict[str, list[tuple[str, int, int]]],
    words: Iterable[Sequence[str]],
    said: Iterable[str],
) -> None:
    """Write what was said at every turn, typed and as word numbers, and which turns are a dialogue of which split."""
    numbers, words_at = end_to_end([vocabulary.encode(list(one)) for one in words], np.int32)
    typed, said_at = end_to_end([np.frombuffer(one.encode(), np.uint8) for one in said], np.uint8)
    writer.text("vocabulary.json", json.dumps(list(vocabulary.words), ensure_ascii=False) + "\n")
    writer.text("dialogues.json", json.dumps(splits) + "\n")
    writer.array("words.npy", numbers)
    writer.array("words_at.npy", words_at)
    writer.array("said.npy", typed)
    writer.array("said_at.npy", said_at)


def _lock(folder: Path) -> IO[bytes]:
    """Hold `folder` until the file that is returned is closed. Raises DataError when another run holds it."""
    file = (folder / _LOCK).open("wb")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise DataError(f"{folder} is being written by another run; wait for it, or name another --out") from None
    return file


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _flush_folder(path: Path) -> None:
    if os.name == "nt":  # Windows offers no way to flush a folder
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value


# --- reading ------------------------------------------------------------------------------------------------------


class Dataset:
    """A prepared data set, open for reading. Images and positions stay on the disk until they are looked at."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        """Load the small arrays and map the large ones; use `open`, which checks first."""
        self.path, self.manifest = path, manifest
        self.name: str = manifest["name"]
        self.licence: str = manifest["licence"]
        self.protocol: str = manifest["protocol"]
        self.resolution: int = manifest["resolution"]
        self.classes: tuple[str, ...] = tuple(manifest["classes"])
        # sets prepared before this was written down: CoDraw's objects are related by depth, as GeNeVA scores them
        before = ("x", "depth") if self.name.startswith("codraw") else ("x", "y")
        self.axes: tuple[str, ...] = tuple(manifest.get("axes", before))
        listed = json.loads((path / "dialogues.json").read_text(encoding="utf-8"))
        self.splits: dict[str, list[Dialogue]] = {s: [Dialogue(*row) for row in rows] for s, rows in listed.items()}
        self.vocabulary = Vocabulary.load(path / "vocabulary.json")
        # mode "c" maps copy-on-write: nothing here can change the file, and torch takes such an array as it is
        self.images: np.ndarray = np.load(path / "images.npy", mmap_mode="c")
        """uint8 [N, 3, H, W], mapped."""
        self.position: np.ndarray = np.load(path / "position.npy", mmap_mode="c")
        """float32 [N, C, 3]: x / width, y / height, depth / 2; 0 where absent."""
        self.objects: np.ndarray = np.load(path / "objects.npy")
        """uint8 [N, C], 0 or 1."""
        self.background: np.ndarray = np.load(path / "background.npy")
        """uint8 [H, W, 3]."""
        self._words, self._words_at = np.load(path / "words.npy"), np.load(path / "words_at.npy")
        self._said, self._said_at = np.load(path / "said.npy"), np.load(path / "said_at.npy")

    @classmethod
    def open(cls, path: Path | str) -> "Dataset":
        """Open what `telldraw prepare` wrote.

        Raises DataError when it is not that, not whole, or damaged: sizes are checked always, checksums of the small
        files too; `verify` checks every byte.
        """
        path = Path(path)
        return checked(path, FORMAT, VERSION, cls)

    def verify(self) -> None:
        """Read every byte and compare checksums. Raises DataError naming the first damaged file."""
        verify(self.path, self.manifest)

    def __len__(self) -> int:
        """Count the turns of all splits."""
        return len(self.images)

    @cached_property
    def facts(self) -> "Facts":
        """What a system must know of the data before it is built."""
        from telldraw.batches import Facts  # brings torch, which looking at a data set does not need

        across, down = self.manifest.get("canvas", (1, 1))
        rows = np.concatenate([np.arange(d.start, d.stop) for d in self.splits.get("train", [])] or [np.zeros(0, int)])
        return Facts(
            name=self.name,
            licence=self.licence,
            resolution=self.resolution,
            classes=self.classes,
            vocabulary=self.vocabulary,
            background=self.background,
            aspect=across / down,
            axes=self.axes,
            shares=tuple(self.objects[rows].mean(0).tolist()) if len(rows) else (),
        )

    def split(self, name: str) -> list[Dialogue]:
        """Give the dialogues of one split. Raises DataError naming the splits there are."""
        if name not in self.splits:
            raise DataError(f"{self.path} has no split {name!r}; choose from {', '.join(self.splits)}")
        return self.splits[name]

    def words(self, row: int) -> np.ndarray:
        """Give the instruction of a turn as word numbers, int64 [L], L >= 1."""
        return self._words[self._words_at[row] : self._words_at[row + 1]].astype(np.int64)

    def said(self, row: int) -> str:
        """Give the instruction of a turn as it was typed."""
        return self._said[self._said_at[row] : self._said_at[row + 1]].tobytes().decode("utf-8")


def checked(path: Path, form: str, version: int, make: Callable[[Path, dict[str, Any]], Opened]) -> Opened:
    """Open the prepared data set of one form at `path`, whatever `make` makes of it and its manifest.

    Sizes are checked always, checksums of the small files too. Raises DataError when it is not that, not whole, or
    damaged.
    """
    manifest = read_manifest(path)
    if manifest["format"] != form:
        wanted, found = form.removeprefix("telldraw "), manifest["format"].removeprefix("telldraw ")
        raise DataError(f"{path} holds {found}, and {wanted} are needed here; telldraw data lists what can be prepared")
    if manifest["version"] != version:
        raise DataError(f"{path} has form {manifest['version']}, this telldraw reads form {version}; prepare it again")
    again = f"prepare it again: telldraw prepare {manifest.get('prepare', manifest['name'])} --out {path} --overwrite"
    for name, facts in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise DataError(f"{file} is missing; {again}")
        if (size := file.stat().st_size) != facts["bytes"]:
            raise DataError(f"{file} has {size:,} bytes where {facts['bytes']:,} were written; {again}")
        if size <= _CHECKED_AT_OPEN and _checksum(file) != facts["crc32"]:
            raise DataError(f"{file} is damaged (its checksum differs); {again}")
    try:
        return make(path, manifest)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read ({error}); {again}") from None


def verify(path: Path, manifest: dict[str, Any]) -> None:
    """Read every byte and compare checksums. Raises DataError naming the first damaged file."""
    for name, facts in manifest["files"].items():
        if _checksum(path / name) != facts["crc32"]:
            raise DataError(f"{path / name} is damaged (its checksum differs); prepare {manifest['name']} again")


def read_manifest(path: Path) -> dict[str, Any]:
    """What a prepared data set says it is, of any form. Raises DataError when there is none at `path`."""
    file = path / MANIFEST
    if path.name.endswith(".part"):
        raise DataError(f"{path} was never finished; run telldraw prepare again")
    if not path.exists():
        part = path.with_name(path.name + ".part")
        rest = f"{part.name} beside it was never finished; run" if part.exists() else "make it with"
        raise DataError(f"there is no data set at {path}; {rest} telldraw prepare, see telldraw data")
    if not file.is_file():
        raise DataError(f"{path} is not a prepared data set: it has no {MANIFEST}; make one with telldraw prepare")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        form, files, name = str(manifest["format"]), manifest["files"], manifest["name"]
        known = form.startswith("telldraw ") and isinstance(manifest["version"], int)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is damaged ({error}); prepare the data set again") from None
    if not known or not isinstance(files, dict) or not isinstance(name, str):
        raise DataError(f"{file} does not describe a data set that telldraw knows; prepare it again")
    return manifest
