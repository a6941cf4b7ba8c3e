"""`telldraw interpolate`: walks between latents, or between labels at one latent, as a sheet or an animation.

torch is imported inside the functions that need it, so that `--help` and a wrong flag are answered at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from telldraw.errors import TelldrawError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from telldraw.weights import Loaded

_MOST_STEPS, _MOST_ROWS = 200, 64
_WIDTH = 64  # pixels: smaller pictures are enlarged to about this
_ANIMATIONS, _SHEETS = (".gif", ".webp"), (".png", ".jpg", ".jpeg")
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WEBP"}


@dataclass(frozen=True)
class Options:
    """Walk from one latent to another and draw on the way: a row of the sheet is one walk, a file that moves shows all.

    Row r goes from picture r of one seed to picture r of the other, as `telldraw generate` numbers them. With
    --from-label and --to-label, or two captions, the latent stays and what is asked for goes from the one to the other:

      telldraw interpolate bicyclegan-birds-64 --from-caption "a large red cube" --to-caption "a large blue ball"
      telldraw interpolate bicyclegan-birds-64 --caption "a large red cube" --out walk.gif
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")]
    """A name from `telldraw weights`, a weights folder, or the folder of a training run."""
    n: int = 10
    """Pictures of a walk, its ends included."""
    rows: int = 4
    """How many walks."""
    from_seed: int = 0
    """Where walks begin."""
    to_seed: int | None = None
    """Where walks end; the next seed unless said. In walks between labels the latent stays unless this is given."""
    path: Literal["spherical", "linear"] = "spherical"
    """Along the great circle, which keeps to latents as likely as the ends, or straight."""
    label: str | None = None
    """What every picture shows, where the weights take labels; without it, row r shows class r."""
    from_label: str | None = None
    """The class where walks between labels begin."""
    to_label: str | None = None
    """The class where walks between labels end."""
    caption: str | None = None
    """What every picture shows, of weights that draw from captions."""
    from_caption: str | None = None
    """What is said where walks between captions begin."""
    to_caption: str | None = None
    """What is said where they end."""
    cut: bool = False
    """Let captions of more than 201 characters be cut instead of refusing them."""
    scale: int | None = None
    """Enlarge each picture so many times; by default until it is about 64 pixels wide."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("walk.png")
    """.png or .jpg: a sheet. .gif or .webp: all walks at once, there and back."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw interpolate`."""
    options = tyro.cli(Options, args=argv, prog="telldraw interpolate")
    _check(options)
    from telldraw import pixels
    from telldraw.commands.loading import load
    from telldraw.commands.reading import check_captions
    from telldraw.drawing.sheet import enlarge

    loaded = load(options.weights, options.device, ("Generative", "TextToImage"), "generate pictures")
    said = [each for each in (options.caption, options.from_caption, options.to_caption) if each is not None]
    told = check_captions(loaded, said, cut=options.cut, device=options.device)
    drawn = [pixels.to_image(image) for image in (told_walks if told else walks)(loaded, options)]
    scale = options.scale or max(1, round(_WIDTH / drawn[0].width))
    shown = [enlarge(picture.convert("RGB"), scale, loaded.card.get("aspect", 1.0)) for picture in drawn]
    _write(shown, options)
    print(options.out)


def _check(options: Options) -> None:
    """Raise TelldrawError for flags out of range and outputs that could not be written."""
    from telldraw.drawing import files
    from telldraw.drawing.noise import check_seed

    check_seed(options.from_seed, "--from-seed")
    check_seed(options.to_seed or 0, "--to-seed")
    for flag, value, low, high in (
        ("--n", options.n, 2, _MOST_STEPS),
        ("--rows", options.rows, 1, _MOST_ROWS),
        ("--scale", options.scale or 1, 1, 32),
    ):
        if not low <= value <= high:
            raise TelldrawError(f"{flag} {value}: a whole number from {low} to {high} is needed")
    if (options.from_caption is None) != (options.to_caption is None):
        raise TelldrawError("--from-caption and --to-caption belong together: give both")
    if options.caption is not None and options.from_caption is not None:
        raise TelldrawError("--caption is for walks between latents, --from-caption between captions: give one")
    if {options.label, options.from_label} != {None} and {options.caption, options.from_caption} != {None}:
        raise TelldrawError("labels and captions are for different weights: give either")
    if (options.from_label is None) != (options.to_label is None):
        raise TelldrawError("--from-label and --to-label belong together: give both")
    if options.label is not None and options.from_label is not None:
        raise TelldrawError("--label is for walks between latents, --from-label for walks between labels: give one")
    files.check_file(options.out, (*_SHEETS, *_ANIMATIONS), "--out")


def walks(loaded: "Loaded", options: Options) -> "Tensor":
    """The pictures, walk after walk: float [rows * n, C, H, W] in [-1, 1]."""
    import torch

    from telldraw.commands import latents
    from telldraw.commands.picture_sheets import check_label, noises, one_hot

    system: Any = loaded.system
    count, size, device = options.rows, system.noise_dim, options.device
    start = noises(options.from_seed, count, size, device)
    classes: Sequence[str] = loaded.card.get("classes", [])
    label = None
    if options.from_label is not None:
        labels = ("--from-label", options.from_label), ("--to-label", options.to_label)
        ends = [check_label(system, word, classes, flag) for flag, word in labels]
        one, two = (one_hot(end, system.label_dim, device).sum(0, keepdim=True) for end in ends)
        label = latents.walk(one, two, options.n, "linear").expand(count, -1, -1)
    elif system.label_dim:
        chosen = check_label(system, options.label, classes)
        own = [chosen or [row % system.label_dim] for row in range(count)]
        label = torch.stack([one_hot(each, system.label_dim, device).sum(0) for each in own])
        label = label.unsqueeze(1).expand(-1, options.n, -1)
    elif options.label is not None:
        check_label(system, options.label, classes)
    end = start
    if label is None or options.from_label is None or options.to_seed is not None:
        to = options.from_seed + 1 if options.to_seed is None else options.to_seed
        end = noises(to, count, size, device)
    z = latents.walk(start, end, options.n, options.path)
    return latents.pictures(system, z.flatten(0, 1), None if label is None else label.flatten(0, 1))


def told_walks(loaded: "Loaded", options: Options) -> "Tensor":
    """The pictures of weights that draw from captions: float [rows * n, C, H, W] in [-1, 1]."""
    from telldraw.commands import latents
    from telldraw.commands.depiction import depict
    from telldraw.commands.picture_sheets import noises

    system: Any = loaded.system
    count, size, device = options.rows, system.noise_dim, options.device
    first, last = options.from_caption or options.caption, options.to_caption or options.caption
    one, two = system.reader.read([str(first), str(last)], device).split(1)
    text = latents.walk(one, two, options.n, "linear").expand(count, -1, -1)
    start = end = noises(options.from_seed, count, size, device)
    if options.from_caption is None or options.to_seed is not None:
        end = noises(options.from_seed + 1 if options.to_seed is None else options.to_seed, count, size, device)
    z = latents.walk(start, end, options.n, options.path)
    return depict(system, z.flatten(0, 1), text.flatten(0, 1))


def _said(options: Options) -> str:
    """What a sheet has above its rows."""
    if options.from_caption is not None:
        return f"from: {options.from_caption}; to: {options.to_caption}"
    if options.from_label is not None:
        return f"from: {options.from_label}; to: {options.to_label}"
    return options.caption or options.label or ""


def _write(shown: Sequence["Image.Image"], options: Options) -> None:
    """A sheet with a row for each walk, or an animation that goes there and back."""
    from telldraw.drawing.files import written
    from telldraw.drawing.sheet import Frame, Strip, contact_sheet, grid, side_by_side

    kind = options.out.suffix.lower()
    if kind in _SHEETS:
        sheet, said = grid(shown, options.n), _said(options)
        if said:
            sheet = contact_sheet([Strip(said, [Frame(sheet, "", "")])])
        with written(options.out) as stream:
            sheet.save(stream, _FORMATS.get(kind, "PNG"))
        return
    pages = [side_by_side(shown[step :: options.n]) for step in range(options.n)]
    if kind == ".gif":  # one palette for all, or the unchanged parts would flicker
        palette = grid(pages[:: max(1, options.n // 8)], 4).quantize(256)
        pages = [page.quantize(palette=palette) for page in pages]
    there_and_back = [*pages, *reversed(pages[1:-1])]
    still = [600 if page in (pages[0], pages[-1]) else 70 for page in there_and_back]
    with written(options.out) as stream:
        there_and_back[0].save(
            stream, _FORMATS[kind], save_all=True, append_images=there_and_back[1:], duration=still, loop=0
        )
