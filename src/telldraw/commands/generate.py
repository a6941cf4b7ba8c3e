"""`telldraw generate`: pictures from noise and, where the weights take one, a label or captions.

torch is imported inside the functions that need it, so that `--help` and a wrong flag are answered at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from telldraw.errors import TelldrawError

if TYPE_CHECKING:
    from telldraw.weights import Loaded

_MOST, _TOGETHER = 10_000, 64
_WIDTH, _TOLD_WIDTH = 64, 128  # pixels: smaller pictures are enlarged to about this on a sheet; with captions


@dataclass(frozen=True)
class Options:
    """Generate pictures, all on one sheet or each in a file of its own.

    The same weights, label or caption, and seed give the same pictures; picture n of a seed is the same however many
    are made, and different captions are drawn from the same noise:

      telldraw generate bicyclegan-birds-64 "a large red cube behind a small blue ball" "a small green cylinder" --n 8
      telldraw generate runs/tedigan-faces-64-text "a young woman with black hair and eyeglasses" --n 8
      telldraw generate runs/tedigan-faces-64-sketch --sketch face.png --n 8
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")]
    """A name from `telldraw weights`, a weights folder, or the folder of a training run."""
    captions: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="CAPTION")] = ()
    """What to draw, of weights that draw from captions; each is a row of the sheet."""
    label: str | None = None
    """What to show, of the classes the weights know: a name, or several with commas where pictures show several things.
    Without it, each class in turn. Of weights that read maps of regions (tedigan): such a map, a PNG whose pixels are
    numbers of regions."""
    sketch: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Of tedigan: draw from this sketch, dark lines on white."""
    image: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Of tedigan: take what else is needed from this picture."""
    content: str | None = None
    """Of tedigan: whose code is in the layers of what is asked (text, image, sketch, label or noise); the first of what
    is given unless said."""
    style: str | None = None
    """Of tedigan: whose code is in the other layers; the second of what is given, or noise."""
    layers: str | None = None
    """Of tedigan: the layers that are the content's, such as 0-3,8, instead of the table's."""
    table: str | None = None
    """Of tedigan: which layers an attribute has: auto (measured by telldraw layers), tedigan14, idinvert14 or all."""
    how: Literal["move", "replace"] = "move"
    """Of tedigan, for a text and noise: the average face of the text, what it asks stressed, and noise that speaks of
    something else; or the text's code in the layers of what is asked and noise in the others, as in the paper."""
    resize: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Of tedigan: make files of another size fit."""
    n: int = 16
    """How many pictures, of each caption where there are captions."""
    cut: bool = False
    """Let captions of more than 201 characters be cut instead of refusing them."""
    grid: int | None = None
    """Of weights that draw from two numbers: GRID x GRID pictures at places that share N(0, 1) evenly, the first number
    growing to the right and the second upwards. Replaces --n and --seed."""
    seed: int = 0
    """Another seed gives other pictures."""
    truncation: float | None = None
    """Of stylegan: from 0, the mean picture alone, to 1, all variety that was learnt; its own setting unless said."""
    reject: float = 0.0
    """Draw more, and leave out this share of them: what the judge is least sure of. 0.5: of two the better one."""
    judge: str | None = None
    """Weights of a classifier or detector of the same classes, for --reject."""
    columns: int | None = None
    """Pictures in a row of the sheet; as square as it goes unless said."""
    scale: int | None = None
    """Enlarge each picture on the sheet so many times; by default until it is about 64 pixels wide, 128 of captions."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The sheet: .png, .jpg or .webp; generated.png unless said."""
    folder: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Write each picture, as it is, into this new folder instead."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw generate`."""
    options = tyro.cli(Options, args=argv, prog="telldraw generate")
    _check(options)
    from telldraw import pixels
    from telldraw.commands import guided
    from telldraw.commands.loading import load
    from telldraw.commands.reading import check_captions
    from telldraw.drawing.files import written
    from telldraw.drawing.sheet import Frame, Strip, contact_sheet, enlarge, grid, side_by_side

    loaded = load(options.weights, options.device, ("Generative", "TextToImage"), "generate pictures")
    guide = given(loaded, options)
    if guide is not None:
        told = bool(options.captions)
        drawn = guided.drawn(loaded, guide, options.n, seed=options.seed, device=options.device).flatten(0, 1)
    else:
        told = check_captions(loaded, options.captions, cut=options.cut, device=options.device)
        drawn = of_captions(loaded.system, options) if told else images(loaded, options)
    pictures = [pixels.to_image(image) for image in drawn]
    if options.folder is not None:
        options.folder.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            picture.save(options.folder / f"{number:05d}.png")
        print(options.folder)
        return
    scale = options.scale or max(1, round((_TOLD_WIDTH if told else _WIDTH) / pictures[0].width))
    shown = [enlarge(picture.convert("RGB"), scale, loaded.card.get("aspect", 1.0)) for picture in pictures]
    columns = options.columns or options.grid
    if told:
        sheet = contact_sheet([
            Strip(caption[:160], [Frame(picture, "", "") for picture in shown[row * options.n : (row + 1) * options.n]])
            for row, caption in enumerate(options.captions)
        ])  # fmt: skip
    else:
        sheet = side_by_side(shown) if columns is None else grid(shown, min(columns, len(shown)))
    out = options.out or Path("generated.png")
    with written(out) as stream:
        sheet.save(stream, format={".jpg": "JPEG", ".webp": "WEBP"}.get(out.suffix.lower(), "PNG"))
    print(out)


def _check(options: Options) -> None:
    """Raise TelldrawError for flags out of range and outputs that could not be written."""
    from telldraw.drawing import files
    from telldraw.drawing.noise import check_seed

    check_seed(options.seed, "--seed")
    if not 1 <= options.n <= _MOST:
        raise TelldrawError(f"--n {options.n}: 1 to {_MOST:,} pictures can be made at once")
    if options.captions:
        for flag, value in (("--grid", options.grid), ("--reject", options.reject or None)):
            if value is not None:
                raise TelldrawError(f"{flag} {value} is for pictures without captions; drop it, or the captions")
        if len(options.captions) * options.n > _MOST:
            raise TelldrawError(f"--n {options.n} of each caption: {_MOST:,} pictures can be made at once")
    if not 0 <= options.reject <= 0.99:
        raise TelldrawError(f"--reject {options.reject}: a share from 0 to 0.99 is needed")
    if options.truncation is not None and not 0 <= options.truncation <= 2:
        raise TelldrawError(f"--truncation {options.truncation}: a number from 0 to 2 is needed")
    if bool(options.reject) != (options.judge is not None):
        raise TelldrawError("--reject SHARE and --judge WEIGHTS belong together: give both, or neither")
    if options.reject and options.grid is not None:
        raise TelldrawError(f"--grid {options.grid} shows the plane as it is; drop --reject")
    for flag, value in (("--columns", options.columns), ("--scale", options.scale), ("--grid", options.grid)):
        if value is not None and not 1 <= value <= 32:
            raise TelldrawError(f"{flag} {value}: a whole number from 1 to 32 is needed")
    if options.grid is not None and options.label is not None:
        raise TelldrawError(f"--grid {options.grid} shows pictures without a label; drop --label")
    if options.folder is not None and options.out is not None:
        raise TelldrawError("--out is one sheet, --folder a file for each picture: give one of them")
    if options.folder is not None:
        files.check_folder(options.folder, "--folder")
    else:
        files.check_file(options.out or Path("generated.png"), files.PICTURES, "--out")


def given(loaded: "Loaded", options: Options) -> Any:
    """What weights that read texts, sketches, maps of regions and pictures are told by; None for others, or nothing."""
    from telldraw.commands import guided
    from telldraw.protocols import Guided

    reads = isinstance(loaded.system, Guided)
    found = guided.Given(
        captions=options.captions if reads else (),
        sketch=options.sketch,
        label=Path(options.label) if reads and options.label is not None else None,
        image=options.image,
        content=options.content,
        style=options.style,
        layers=options.layers,
        table=options.table,
        how=options.how,
        resize=options.resize,
        truncation=options.truncation,
    )
    if options.captions and options.label is not None and not reads:
        raise TelldrawError(f"--label {options.label} is for pictures without captions; drop it, or the captions")
    return found if guided.wanted(loaded, found) else None


def of_captions(system: Any, options: Options) -> Any:
    """The captions drawn, one after the other, float [captions * n, C, H, W] in [-1, 1]."""
    from telldraw.commands.depiction import of_captions

    return of_captions(system, options.captions, options.n, seed=options.seed, device=options.device).flatten(0, 1)


def images(loaded: "Loaded", options: Options) -> Any:
    """The pictures asked for, float [n, C, H, W] in [-1, 1]."""
    import torch

    from telldraw.commands.latents import truncate
    from telldraw.commands.picture_sheets import check_label, noises, one_hot, plane

    system: Any = loaded.system
    if options.truncation is not None and not truncate(system, options.truncation):
        raise TelldrawError(f"--truncation {options.truncation}: {loaded.name} draws without; drop it")
    classes = loaded.card.get("classes", [])
    chosen = check_label(system, options.label, classes)
    if len(chosen) > 1 and not loaded.card.get("many"):
        raise TelldrawError(f"--label {options.label}: these pictures show one class each; name one")
    if options.grid is not None and (system.noise_dim != 2 or system.label_dim):
        has = f"{system.noise_dim:,} numbers" + (" and a label" if system.label_dim else "")
        raise TelldrawError(f"--grid {options.grid}: {loaded.name} draws from {has}; two numbers make a plane")
    count = options.n if options.grid is None else options.grid**2
    label = None
    if system.label_dim and chosen:
        label = one_hot(chosen, system.label_dim, options.device).sum(0, keepdim=True).expand(options.n, -1)
    elif system.label_dim:
        turns = [number % system.label_dim for number in range(options.n)]
        label = one_hot(turns, system.label_dim, options.device)

    def drawn(label: Any, count: int) -> Any:
        place = options.grid
        z = (
            noises(options.seed, count, system.noise_dim, options.device)
            if place is None
            else plane(place, options.device)
        )
        with torch.inference_mode():
            parts = [
                system.generate(z[at : at + _TOGETHER], None if label is None else label[at : at + _TOGETHER]).cpu()
                for at in range(0, count, _TOGETHER)
            ]
        return torch.cat(parts)

    if options.judge is None:
        return drawn(label, count)
    from telldraw.commands.rejection import best, load_judge

    judge = load_judge(options.judge, loaded, options.device)
    return best(drawn, judge, label, options.n, reject=options.reject, device=options.device)
