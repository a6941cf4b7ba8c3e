"""`telldraw find`: the pictures of a data set that a typed caption describes best, by a text encoder.

torch is imported inside the functions that need it, so that `--help` and a wrong flag are answered at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from telldraw.errors import TelldrawError


@dataclass(frozen=True)
class Options:
    """Find the pictures that captions describe, best first, on one sheet."""

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN|WEIGHTS")]
    """A text encoder: a training run, a weights folder, or a name."""
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PREPARED")]
    """A prepared data set."""
    captions: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="CAPTION")]
    """What to find."""
    split: str = "test"
    """Which part of the data set is searched."""
    limit: int | None = None
    """Only the first so many pictures of it."""
    n: int = 8
    """How many pictures each caption finds."""
    cut: bool = False
    """Let captions of more than 201 characters be cut instead of refusing them."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("found.png")
    """The sheet: .png, .jpg or .webp."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw find`."""
    options = tyro.cli(Options, args=argv, prog="telldraw find", config=(tyro.conf.FlagCreatePairsOff,))
    from telldraw.drawing import files

    if not 1 <= options.n <= 100:
        raise TelldrawError(f"--n {options.n}: 1 to 100 pictures can be shown")
    if not options.captions:
        raise TelldrawError("say what to find, in quotation marks")
    files.check_file(options.out, files.PICTURES, "--out")
    from telldraw.commands.retrieval import seen
    from telldraw.drawing.sheet import Frame, Strip, contact_sheet

    strips = []
    collection, rows, scores, picture = _scored(options)
    for caption, own in zip(options.captions, scores, strict=True):
        best = seen(own, rows, collection, options.n)
        strips.append(
            Strip(caption[:160], [Frame(picture(collection, row), f"{row}", text[:80]) for row, text in best])
        )
        print(f"{caption}: {', '.join(str(row) for row, _ in best)}")
    with files.written(options.out) as stream:
        endings = {".jpg": "JPEG", ".webp": "WEBP"}
        contact_sheet(strips).save(stream, format=endings.get(options.out.suffix.lower(), "PNG"))
    print(options.out)


def _scored(options: Options) -> tuple[Any, list[int], Any, Any]:
    """The data set, its rows that are searched, scores [captions, rows], and how a picture is shown."""
    import torch

    from telldraw import pixels, weights
    from telldraw.commands import reading
    from telldraw.commands.picture_evaluation import check_fits
    from telldraw.commands.retrieval import picture
    from telldraw.data.collection import Collection

    collection = Collection.open(options.data)
    reader = reading.load(options.weights, options.device)
    check_fits(weights.card(reader.folder), collection)
    reader.check(options.captions, cut=options.cut)
    rows = list(collection.split(options.split)[: options.limit])
    if not rows:
        raise TelldrawError(f"the split {options.split!r} of {options.data} is empty; choose another with --split")
    with torch.inference_mode():
        parts = (rows[at : at + 128] for at in range(0, len(rows), 128))
        images = (pixels.to_float(torch.from_numpy(collection.images[part])).to(options.device) for part in parts)
        known = torch.cat([reader.system.embed_pictures(image) for image in images])
        return collection, rows, (reader.read(options.captions, options.device) @ known.T).cpu(), picture
