"""Sketches and maps of regions from files, as `Guided` systems read them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from telldraw import pixels
from telldraw.commands.picture_input import check_size, opened
from telldraw.data.pictures import opaque
from telldraw.errors import TelldrawError

if TYPE_CHECKING:
    from telldraw.weights import Loaded


_PAPER = 160
"""What is lighter is paper: of drawn faces' sketches more than half is, and the lines are darker."""


def sketch_of(file: Path, loaded: "Loaded", *, resize: bool = False) -> Tensor:
    """A sketch, dark lines on white: [1, 1, H, W] in [-1, 1]. Raises TelldrawError."""
    grey = opaque(opened(file)).convert("L")
    side = _side(file, grey, loaded, resize)
    array = np.asarray(grey.resize((side, side), Image.Resampling.LANCZOS) if grey.size != (side, side) else grey)
    if array.mean() < 64:
        raise TelldrawError(f"{file} is mostly dark; a sketch has dark lines on white paper: turn its colours around")
    if array.min() > _PAPER:
        raise TelldrawError(f"{file} has no dark line; a sketch has dark lines on white paper")
    if (array > _PAPER).mean() < 0.5:
        raise TelldrawError(f"{file} is no sketch, which has dark lines on white paper; --image is for photographs")
    return pixels.to_float(torch.from_numpy(array.copy()))[None, None]


def regions_of(file: Path, loaded: "Loaded", *, resize: bool = False) -> Tensor:
    """A map of regions, each pixel the number of its region: [1, H, W] int64. Raises TelldrawError."""
    system: Any = loaded.system
    image, count = opened(file, deep=True), system.config.region_count
    if image.mode == "RGB":
        red, green, blue = np.asarray(image).transpose(2, 0, 1)
        image = Image.fromarray(red) if bool((red == green).all() and (red == blue).all()) else image
    if image.mode not in ("L", "P", "1", "I") and not image.mode.startswith("I;16"):
        what = (
            "holds fractions"
            if image.mode == "F"
            else "has transparency"
            if "A" in image.getbands()
            else "is in colour"
        )
        raise TelldrawError(
            f"{file} {what} ({image.mode}); a label map is a PNG whose pixels are numbers of regions, 0 to {count - 1}"
        )
    side = _side(file, image, loaded, resize)
    array = np.asarray(image).astype(np.int64)
    rows, columns = ((2 * np.arange(side) + 1) * length // (2 * side) for length in array.shape)
    array = array[np.ix_(rows, columns)]  # the nearest pixels: of 16 bits Pillow keeps 8
    for region in (int(array.min()), int(array.max())):
        if not 0 <= region < count:
            raise TelldrawError(f"{file} has region {region}; {loaded.name} knows 0 to {count - 1}")
    if array.min() == array.max():
        raise TelldrawError(
            f"{file} has region {array.min()} alone; a map of a face has several, from 0 to {count - 1}"
        )
    return torch.from_numpy(array)[None]


def _side(file: Path, image: Image.Image, loaded: "Loaded", resize: bool) -> int:
    system: Any = loaded.system
    side = system.config.resolution
    check_size(file, image, side, loaded.name, resize=resize)
    return side
