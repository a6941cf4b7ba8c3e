"""What commands that take a picture in have in common: a picture from a file or a prepared set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from telldraw.data.pictures import EIGHT_BITS, opaque
from telldraw.errors import DataError, TelldrawError

if TYPE_CHECKING:
    from torch import Tensor

    from telldraw.data.collection import Collection
    from telldraw.weights import Loaded

_KINDS = {1: "grey", 3: "colour"}


def open_collection(path: Path, loaded: "Loaded") -> "Collection":
    """The prepared pictures at `path`. Raises DataError when they are dialogues, or others than the weights know."""
    from telldraw.commands.picture_evaluation import check_fits
    from telldraw.data.collection import Collection

    collection = Collection.open(path)
    check_fits(loaded.card, collection)
    return collection


def of_collection(collection: "Collection", split: str, index: int) -> "Tensor":
    """Picture `index` of a split, [1, C, H, W] in [-1, 1]. Raises DataError naming the flag and what there is."""
    import torch

    from telldraw import pixels

    rows = collection.split(split)
    if not 0 <= index < len(rows):
        raise DataError(
            f"--index {index}: the split {split!r} of {collection.path} has {len(rows):,} pictures, numbered from 0"
        )
    return pixels.to_float(torch.from_numpy(collection.images[rows[index]].copy())).unsqueeze(0)


def opened(path: Path, *, deep: bool = False) -> Image.Image:
    """The picture in a file, upright where the camera says how it was held; `deep`: also with more than 8 bits.

    Raises TelldrawError naming the file and the remedy.
    """
    try:
        with Image.open(path) as image:
            image.load()
            if image.mode not in EIGHT_BITS and not deep:
                raise TelldrawError(f"{path} has more than 8 bits a channel ({image.mode}); save it with 8")
            return ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise TelldrawError(f"there is no picture {path}") from None
    except IsADirectoryError:
        raise TelldrawError(f"{path} is a folder; name a picture in it") from None
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "it is no picture, or damaged"
        raise TelldrawError(f"{path} cannot be read as a picture: {str(reason).lower()}") from None


def check_size(path: Path, image: Image.Image, side: int, name: str, *, resize: bool) -> None:
    """Raise TelldrawError when a picture is no square of `side` pixels, as `name` takes, and may not be made one."""
    if image.size != (side, side) and not resize:
        size = f"{image.width}x{image.height}"
        raise TelldrawError(f"{path} has {size} pixels, {name} takes {side}x{side}; give --resize to make it fit")


def check_kind(path: Path, found: int, channels: int, name: str) -> None:
    """Raise TelldrawError when a picture with `found` channels is not grey, or in colour, as `name` takes them."""
    if found != channels:
        wanted = _word(channels)
        raise TelldrawError(f"{path} is in {_word(found)}, {name} takes pictures in {wanted}; save it in {wanted}")


def of_file(path: Path, loaded: "Loaded", *, resize: bool = False) -> "Tensor":
    """The picture in a file, [1, C, H, W] in [-1, 1], of the size and the kind (grey, colour) that the weights take.

    A file in colour with three equal channels is grey, and what is transparent is white. `resize` squashes it to a
    square of the right size. Raises TelldrawError naming the file and the remedy.
    """
    import torch

    from telldraw import pixels

    config: Any = loaded.system.config
    side, channels = config.resolution, config.channels
    image = opened(path)
    found = opaque(image).convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    check_size(path, found, side, loaded.name, resize=resize)
    array = np.asarray(found.resize((side, side), Image.Resampling.LANCZOS) if found.size != (side, side) else found)
    if array.ndim == 3 and channels == 1 and bool((array == array[..., :1]).all()):
        array = array[..., 0]
    array = array[..., None] if array.ndim == 2 else array
    check_kind(path, array.shape[-1], channels, loaded.name)
    return pixels.to_float(torch.from_numpy(array.transpose(2, 0, 1).copy())).unsqueeze(0)


def _word(channels: int) -> str:
    return _KINDS.get(channels, f"{channels} channels")
