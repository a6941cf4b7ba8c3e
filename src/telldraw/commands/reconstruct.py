"""`telldraw reconstruct`: pictures beside what is left of them after encoding and decoding."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from telldraw.commands.counting import counted
from telldraw.errors import DataError, TelldrawError

if TYPE_CHECKING:
    import numpy as np

    from telldraw.weights import Loaded

_MOST = 40
"""Pictures that fit a sheet."""
Files = tuple[Path, ...]


@dataclass(frozen=True)
class Options:
    """Encode and decode pictures: a sheet with each true one over its reconstruction. Prints how near they come.

    Pictures of a prepared set are not picked: the first ones of the split, or those from --index on.

      telldraw reconstruct runs/vae-mnist --data mnist-28.telldraw --n 20
      telldraw reconstruct vqvae-scenes-64 mine.png another.png --resize
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")]
    """A name from `telldraw weights`, a weights folder, or the folder of a training run."""
    pictures: Annotated[tyro.conf.Positional[Files], tyro.conf.arg(metavar="PICTURE", help_behavior_hint="")] = ()
    """Picture files; or give --data."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="PREPARED", help_behavior_hint="")] = None
    """A prepared data set with pictures of the kind the weights were trained on."""
    split: str = "test"
    """Which part of it."""
    index: int = 0
    """The first picture of that part, counted from 0."""
    n: int = 10
    """How many pictures."""
    resize: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Make files of another size fit; they are squashed to squares."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("reconstructed.png")
    """The sheet: .png, .jpg or .webp."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw reconstruct`."""
    options = tyro.cli(Options, args=argv, prog="telldraw reconstruct")
    if not 1 <= options.n <= _MOST or len(options.pictures) > _MOST:
        many = f"{len(options.pictures)} pictures" if options.pictures else f"--n {options.n}"
        raise TelldrawError(f"{many}: 1 to {_MOST} pictures go on a sheet")
    if bool(options.pictures) == (options.data is not None):
        raise TelldrawError("name pictures to reconstruct: files, or --data PREPARED")
    from telldraw.commands import loading, picture_sheets
    from telldraw.drawing import files
    from telldraw.drawing.sheet import contact_sheet
    from telldraw.metrics.reconstruction import reconstructed

    files.check_file(options.out, files.PICTURES, "--out")
    loaded = loading.load(options.weights, options.device, ("Autoencoder",), "reconstruct pictures")
    images = _of_files(loaded, options) if options.data is None else _of_set(loaded, options.data, options)
    system: Any = loaded.system
    for name, what, values in reconstructed(system, images, range(len(images)), device=options.device):
        print(f"{name} {values.mean():.4f} ({what}, mean of {counted(len(images), 'picture')})")
    aspect = loaded.card.get("aspect", 1.0)
    strips = picture_sheets.pairs(system, images, aspect, device=options.device)
    files.save_picture(contact_sheet(strips), options.out)
    print(options.out)


def _of_files(loaded: "Loaded", options: Options) -> "np.ndarray":
    """The pictures in files, uint8 [N, C, H, W]."""
    import torch

    from telldraw import pixels
    from telldraw.commands import picture_input

    each = [picture_input.of_file(path, loaded, resize=options.resize) for path in options.pictures]
    return pixels.to_uint8(torch.cat(each)).numpy()


def _of_set(loaded: "Loaded", data: Path, options: Options) -> "np.ndarray":
    """Pictures of a prepared set, uint8 [N, C, H, W]. Raises DataError when the split has none there."""
    from telldraw.commands import picture_input

    collection = picture_input.open_collection(data, loaded)
    split = collection.split(options.split)
    rows = split[options.index : options.index + options.n] if options.index >= 0 else ()
    if not rows:
        raise DataError(
            f"--index {options.index}: the split {options.split!r} of {data} has {len(split):,} pictures, numbered "
            "from 0"
        )
    if len(rows) < options.n:
        said = f"--n {options.n}: the split {options.split!r} has only {counted(len(rows), 'picture')} from --index "
        print(f"telldraw: {said}{options.index} on", file=sys.stderr)
    return collection.images[list(rows)]
