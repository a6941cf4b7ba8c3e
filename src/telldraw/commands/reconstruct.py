"""`telldraw reconstruct`: pictures beside what is left of them after encoding and decoding."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from telldraw.commands.counting import counted
from telldraw.errors import DataError, TelldrawError

_MOST = 40
"""Pictures that fit a sheet."""


@dataclass(frozen=True)
class Options:
    """Encode and decode pictures of a prepared data set: a sheet with each true picture over its reconstruction.

    Not picked: the first ones of the split, or those from --index on. Prints how near they come.
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")]
    """A name from `telldraw weights`, a weights folder, or the folder of a training run."""
    data: Annotated[Path, tyro.conf.arg(metavar="PREPARED")]
    """A prepared data set with pictures of the kind the weights were trained on."""
    split: str = "test"
    """Which part of it."""
    index: int = 0
    """The first picture of that part, counted from 0."""
    n: int = 10
    """How many pictures."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("reconstructed.png")
    """The sheet: .png, .jpg or .webp."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw reconstruct`."""
    options = tyro.cli(Options, args=argv, prog="telldraw reconstruct")
    if not 1 <= options.n <= _MOST:
        raise TelldrawError(f"--n {options.n}: 1 to {_MOST} pictures go on a sheet")
    from telldraw.commands import loading, picture_input, picture_sheets
    from telldraw.drawing import files
    from telldraw.drawing.sheet import contact_sheet

    files.check_file(options.out, files.PICTURES, "--out")
    loaded = loading.load(options.weights, options.device, ("Autoencoder",), "reconstruct pictures")
    collection = picture_input.open_collection(options.data, loaded)
    split = collection.split(options.split)
    rows = split[options.index : options.index + options.n] if options.index >= 0 else ()
    if not rows:
        raise DataError(
            f"--index {options.index}: the split {options.split!r} of {options.data} has {len(split):,} pictures, "
            "numbered from 0"
        )
    if len(rows) < options.n:
        said = f"--n {options.n}: the split {options.split!r} has only {counted(len(rows), 'picture')} from --index "
        print(f"telldraw: {said}{options.index} on", file=sys.stderr)
    from telldraw.metrics.reconstruction import reconstructed

    system: Any = loaded.system
    for name, what, values in reconstructed(system, collection.images, rows, device=options.device):
        print(f"{name} {values.mean():.4f} ({what}, mean of {counted(len(rows), 'picture')})")
    files.save_picture(
        contact_sheet(picture_sheets.reconstructions(system, collection, rows, device=options.device)), options.out
    )
    print(options.out)
