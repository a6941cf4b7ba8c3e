"""Sets of pictures to be measured: a folder of picture files, or a split of a prepared data set. Loads no torch."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from telldraw.data.archive import MANIFEST, Dataset
from telldraw.data.collection import Collection
from telldraw.data.prepared import open_prepared
from telldraw.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
EIGHT_BITS = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Folder:
    """The picture files of one folder in the order of their names, all of one size."""

    path: Path
    files: tuple[Path, ...]
    checksum: str
    """SHA-256 of all their bytes."""
    size: tuple[int, int]
    """Height and width, in pixels."""
    split: str = ""

    @property
    def name(self) -> str:
        """As the user gave it."""
        return str(self.path)

    @property
    def names(self) -> list[str]:
        """Of the pictures: the files' names without their endings."""
        return [file.stem for file in self.files]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.files)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """uint8 [B, 3, H, W] in the order of the names. Raises DataError naming a file that cannot be read."""
        for start in range(0, len(self.files), size):
            yield np.stack([_pixels(file) for file in self.files[start : start + size]])


@dataclass(frozen=True)
class Split:
    """The pictures of a split of a prepared data set, in its order."""

    dataset: Dataset | Collection
    split: str
    rows: np.ndarray  # int64 [N]
    checksum: str
    """SHA-256 of the data set's manifest, which has the checksum of every file."""

    @property
    def name(self) -> str:
        """As the user gave it, with the split."""
        return f"{self.dataset.path}, split {self.split}"

    @property
    def names(self) -> list[str]:
        """Of the pictures: numbers."""
        return [str(row) for row in self.rows]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.dataset.resolution, self.dataset.resolution

    def __len__(self) -> int:
        """How many there are."""
        return len(self.rows)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """uint8 [B, 3, H, W]; of grey pictures three equal channels."""
        for start in range(0, len(self.rows), size):
            rows = self.dataset.images[self.rows[start : start + size]]
            yield np.repeat(rows, 3 // rows.shape[1], axis=1)


def open_pictures(path: Path, split: str) -> Folder | Split:
    """A folder of pictures, or the split of a prepared data set, whichever `path` is.

    Raises DataError naming the folder, file or split that is wrong.
    """
    if (path / MANIFEST).is_file():
        return of_split(open_prepared(path), split)
    return open_folder(path)


def of_split(dataset: Dataset | Collection, split: str, limit: int | None = None) -> Split:
    """The pictures of a split, of every turn of its (first `limit`) dialogues. Raises DataError when there are none."""
    if isinstance(dataset, Collection):
        rows = np.array(dataset.split(split)[:limit], np.int64)
    else:
        dialogues = dataset.split(split)[:limit]
        rows = np.array([row for dialogue in dialogues for row in range(dialogue.start, dialogue.stop)], np.int64)
    if not len(rows):
        raise DataError(f"the split {split!r} of {dataset.path} is empty: there is nothing to measure")
    manifest = json.dumps(dataset.manifest["files"], sort_keys=True)
    return Split(dataset, split, rows, hashlib.sha256(manifest.encode()).hexdigest())


def folders_of(path: Path) -> list[Path]:
    """The folders inside one, by name. Raises DataError when there are none."""
    found = [folder for folder in _inside(path) if folder.is_dir() and not folder.name.startswith(".")]
    if not found:
        raise DataError(f"{path} has no folders; put the drawings of the same words into a folder of their own, in it")
    return found


def open_folder(path: Path) -> Folder:
    """The pictures of a folder. Reads every byte once, for the checksum, and the size of each picture.

    Raises DataError when there are none, when one cannot be read, or when their sizes differ.
    """
    files = _files(path)
    checksum, first = hashlib.sha256(), None
    for file in files:
        size = _size(file)
        if first is None:
            first = size
        if size != first:
            raise DataError(
                f"the pictures in {path} have different sizes: {files[0].name} is {first[1]}x{first[0]}, {file.name} "
                f"{size[1]}x{size[0]}; bring them to one size"
            )
        data = file.read_bytes()
        checksum.update(len(data).to_bytes(8, "little") + data)
    assert first is not None
    return Folder(path, tuple(files), checksum.hexdigest(), first)


def _inside(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except FileNotFoundError:
        raise DataError(f"there is no folder {path}") from None
    except NotADirectoryError:
        raise DataError(f"{path} is a file; name the folder that holds the pictures") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _files(path: Path) -> list[Path]:
    inside = _inside(path)
    files = [file for file in inside if file.suffix.lower() in ENDINGS and not file.name.startswith(".")]
    if not files:
        below = next((folder for folder in inside if folder.is_dir()), None)
        hint = f"; it has folders, such as {below.name}: name one of them" if below else ""
        raise DataError(f"{path} has no pictures ({', '.join(ENDINGS)}){hint}")
    return files


def _size(file: Path) -> tuple[int, int]:
    try:
        with Image.open(file) as image:
            mode, size = image.mode, (image.height, image.width)
    except UNREADABLE as error:
        raise DataError(f"{file} is not a picture that can be read: {reason(error)}") from None
    if mode not in EIGHT_BITS:
        raise DataError(f"{file} has more than 8 bits a channel ({mode}); save it with 8")
    return size


def _pixels(file: Path) -> np.ndarray:
    """uint8 [3, H, W]."""
    try:
        with Image.open(file) as image:
            clear = image.convert("RGBA") if "transparency" in image.info else image  # Pillow asks for this detour
            return np.asarray(clear.convert("RGB")).transpose(2, 0, 1)
    except UNREADABLE as error:
        raise DataError(f"{file} is not a picture that can be read: {reason(error)}") from None


def opaque(image: Image.Image) -> Image.Image:
    """Over white where it is transparent."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image
    clear = image.convert("RGBA")
    paper = Image.new("RGBA", clear.size, "white")
    paper.alpha_composite(clear)
    return paper


def reason(error: Exception) -> str:
    """Why a picture cannot be read, in a few words."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()[:120]
