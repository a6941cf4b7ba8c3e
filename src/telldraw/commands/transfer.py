"""`telldraw transfer`: what captions say, drawn in the style of pictures.

torch is imported inside the functions that need it, so that `--help` and a wrong flag are answered at once.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from telldraw.errors import DataError, TelldrawError

if TYPE_CHECKING:
    from torch import Tensor

    from telldraw.weights import Loaded

_MOST = 64
"""Style pictures on a sheet, and captions."""
_DRAWER = "bicyclegan-birds-64"
"""Draws unless another is named."""


@dataclass(frozen=True)
class Options:
    """Draw what captions say in the style of pictures: things from the caption, background and place from the picture.

    A row of the sheet for each picture, which stands first, and a column for each caption. Style is what captions do
    not say; how well it is read, `telldraw evaluate` measures. The weights need a style encoder: bicyclegan has
    one, of gan-cls it is the second stage (`telldraw train gan-cls --preset birds-64-style --start-from RUN`).

      telldraw transfer --style one.png two.png "a large red cube" "a small green ball"
      telldraw transfer gan-cls-birds-64 "a large red cube" "a small green ball" --style one.png two.png
      telldraw transfer bicyclegan-birds-64 "a large red cube" --data clevr-birds-64.telldraw --rows 3,17
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")] = _DRAWER
    """A name from `telldraw weights`, a weights folder, or the folder of a training run. What has a space in it
    and is no folder is a caption."""
    captions: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="CAPTION")] = ()
    """What to draw, in quotation marks; captions may also follow the pictures of --style."""
    style: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PICTURE")] = ()
    """Pictures whose style is taken: files, of the size that the weights draw unless --resize is given."""
    resize: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Make pictures of another size fit; they are squashed to squares."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="PREPARED")] = None
    """Take pictures of a prepared data set instead."""
    split: str = "test"
    """Which part of it."""
    rows: str = "0,1,2,3"
    """Which pictures of that part, counted from 0, with commas."""
    cut: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Let captions of more than 201 characters be cut instead of refusing them."""
    scale: int | None = None
    """Enlarge each picture so many times; by default until it is about 128 pixels wide."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("transfer.png")
    """The sheet: .png, .jpg or .webp."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw transfer`."""
    options = _sorted(tyro.cli(Options, args=argv, prog="telldraw transfer"))
    numbers = _check(options)
    from telldraw.commands import depiction, loading, reading
    from telldraw.drawing.files import save_picture

    loaded = loading.load(options.weights, options.device, ("StyleEncoder",), "read the style of a picture")
    images = _pictures(loaded, options, numbers)
    reading.attach(loaded, options.device).check(options.captions, cut=options.cut)
    drawn = depiction.in_styles(loaded.system, images, options.captions, device=options.device)
    aspect = loaded.card.get("aspect", 1.0)
    sheet = depiction.style_sheet(images, options.captions, drawn, aspect=aspect, scale=options.scale)
    save_picture(sheet, options.out)
    print(options.out)


def _sorted(options: Options) -> Options:
    """The words of --style that are no files are captions: nobody knows where a list of pictures ends.

    So are words in the place of the weights that nobody calls weights.
    """
    from PIL import Image

    endings = Image.registered_extensions()

    def exists(word: str) -> bool:
        try:
            return Path(word).exists()
        except (OSError, ValueError):  # longer than a name can be
            return False

    def named(word: str) -> bool:
        return Path(word).suffix.lower() in endings or exists(word)

    weights, captions = options.weights, options.captions
    if " " in weights.strip() and not exists(weights):
        weights, captions = _DRAWER, (weights, *captions)
    said = tuple(word for word in options.style if not named(word))
    style = tuple(word for word in options.style if named(word))
    return replace(options, weights=weights, style=style, captions=(*captions, *said))


def _check(options: Options) -> list[int]:
    """The numbers of --rows. Raises TelldrawError for what is missing, too much, or cannot be written."""
    from telldraw.drawing import files

    if not options.captions:
        raise TelldrawError('say what to draw in that style, in quotation marks, such as "a large red cube"')
    if bool(options.style) == (options.data is not None):
        raise TelldrawError(
            "name the pictures whose style is taken: --style PICTURE ..., or --data PREPARED --rows 3,17"
        )
    try:
        numbers = [int(part) for part in options.rows.split(",")]
    except ValueError:
        raise TelldrawError(f"--rows {options.rows}: whole numbers with commas are needed, such as 3,17") from None
    for flag, count in (("--rows", len(numbers)), ("--style", len(options.style)), ("captions", len(options.captions))):
        if count > _MOST:
            raise TelldrawError(f"{flag}: {count} are too many for a sheet; give at most {_MOST}")
    if options.scale is not None and not 1 <= options.scale <= 32:
        raise TelldrawError(f"--scale {options.scale}: a whole number from 1 to 32 is needed")
    files.check_file(options.out, files.PICTURES, "--out")
    return numbers


def _pictures(loaded: "Loaded", options: Options, numbers: list[int]) -> "Tensor":
    """The pictures whose style is taken, [N, C, H, W] in [-1, 1]. Raises TelldrawError naming what cannot be read."""
    import torch

    from telldraw.commands import picture_input

    if options.data is None:
        return torch.cat([picture_input.of_file(Path(name), loaded, resize=options.resize) for name in options.style])
    collection = picture_input.open_collection(options.data, loaded)
    count = len(collection.split(options.split))
    if wrong := [number for number in numbers if not 0 <= number < count]:
        there = f"the split {options.split!r} of {options.data} has {count:,} pictures, numbered from 0"
        raise DataError(f"--rows {wrong[0]}: {there}")
    return torch.cat([picture_input.of_collection(collection, options.split, number) for number in numbers])
