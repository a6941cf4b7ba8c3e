"""`telldraw edit`: a picture is encoded, its code changed, and the code decoded.

How a code is changed depends on what the system can do: a line in `EDITORS` for each way. torch is imported inside the
functions that need it, so that `--help` and a wrong flag are answered at once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from telldraw.errors import TelldrawError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from telldraw.drawing.sheet import Strip
    from telldraw.weights import Loaded

_WIDTH, _SWEEP_WIDTH = 192, 96
"""Pictures are enlarged to about so many pixels of width; in a sweep, where there are many, to less."""
_MOST = 100
Change = tyro.conf.UseAppendAction[tuple[str, ...]]


@dataclass(frozen=True)
class Options:
    """Change numbers of a picture's code and see what becomes of the picture.

    Writes a sheet: the picture, what its code gives, and what the changed code gives; with --sweep a row of pictures
    for each number swept. Without any change, prints the code.

      telldraw edit runs/vae-mnist --data mnist-28.telldraw --index 7 --set 3=2.0 --add 5=-1.5
      telldraw edit runs/vae-mnist five.png --sweep 3=-3:3:7 --sweep 11=-3:3:7
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")]
    """A name from `telldraw weights`, a weights folder, or the folder of a training run."""
    picture: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="PICTURE", help_behavior_hint="")] = (
        None
    )
    """The picture to edit; or give --data and --index."""
    set: Annotated[Change, tyro.conf.arg(metavar="N=VALUE", help_behavior_hint="")] = ()
    """Make number N of the code, counted from 0, this value. Before a picture is seen each is N(0, 1). Repeatable."""
    add: Annotated[Change, tyro.conf.arg(metavar="N=VALUE", help_behavior_hint="")] = ()
    """Add this value to number N, after --set. Repeatable."""
    sweep: Annotated[Change, tyro.conf.arg(metavar="N=FROM:TO:COUNT", help_behavior_hint="")] = ()
    """A row of COUNT pictures in which number N, or each in turn where N is `all`, goes from FROM to TO. Repeatable."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="PREPARED", help_behavior_hint="")] = None
    """Take the picture from this prepared data set."""
    split: str = "test"
    """From which part of it."""
    index: int = 0
    """Which picture of that part, counted from 0."""
    resize: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Make a picture of another size fit; it is squashed to a square."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("edited.png")
    """The sheet: .png, .jpg or .webp."""
    only: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Also write the edited picture alone, as it is."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


class Edited(NamedTuple):
    """What an editor gives back."""

    strips: "list[Strip]"
    """The sheet."""
    picture: "Image.Image"
    """The edited picture alone."""
    said: list[str]
    """Lines to print."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw edit`."""
    options = tyro.cli(Options, args=argv, prog="telldraw edit")
    _check(options)
    from telldraw.commands import loading, picture_input
    from telldraw.drawing.files import save_picture
    from telldraw.drawing.sheet import contact_sheet
    from telldraw.systems import SYSTEMS

    loaded = loading.load(options.weights, options.device, tuple(EDITORS), "edit pictures")
    if options.data is not None:
        collection = picture_input.open_collection(options.data, loaded)
        picture = picture_input.of_collection(collection, options.split, options.index)
    else:
        assert options.picture is not None
        picture = picture_input.of_file(options.picture, loaded, resize=options.resize)
    able = SYSTEMS[loaded.card["system"]].capabilities
    editor = next(edit for capability, edit in EDITORS.items() if capability in able)
    edited = editor(loaded, picture, options)
    for line in edited.said:
        print(line)
    save_picture(contact_sheet(edited.strips), options.out)
    print(options.out)
    if options.only is not None:
        save_picture(edited.picture, options.only)
        print(options.only)


def _check(options: Options) -> None:
    """Raise TelldrawError for flags that exclude each other and files that could not be written."""
    from telldraw.drawing import files

    if (options.picture is None) == (options.data is None):
        raise TelldrawError("name one picture to edit: a file, or --data PREPARED with --index N")
    files.check_file(options.out, files.PICTURES, "--out")
    if options.only is not None:
        files.check_file(options.only, files.PICTURES, "--only")


def by_number(loaded: "Loaded", picture: "Tensor", options: Options) -> Edited:
    """Edit the code of a `Latent` system number by number: picture [1, C, H, W] in [-1, 1]."""
    import torch

    from telldraw import pixels
    from telldraw.drawing.sheet import Frame, Strip

    system: Any = loaded.system
    sets = [_change("--set", word, system.latent_dim) for word in options.set]
    adds = [_change("--add", word, system.latent_dim) for word in options.add]
    sweeps = [each for word in options.sweep for each in _sweeps(word, system.latent_dim)]

    def shown(code: "Tensor", width: int) -> "list[Image.Image]":
        return [_sized(pixels.to_image(image), loaded, width) for image in system.decode(code).cpu()]

    with torch.inference_mode():
        code = system.encode(picture.to(options.device))
        changed = code.clone()
        for number, value in sets:
            changed[:, number] = value
        for number, value in adds:
            changed[:, number] += value
        numbers = sorted({number for number, _ in (*sets, *adds)})
        told = ", ".join(f"{n}: {float(code[0, n]):.2f} to {float(changed[0, n]):.2f}" for n in numbers)
        width = _SWEEP_WIDTH if sweeps else _WIDTH
        frames = [Frame(_sized(pixels.to_image(picture[0]), loaded, width), "", "picture")]
        frames.append(Frame(shown(code, width)[0], "", "its code decoded"))
        if numbers:
            frames.append(Frame(shown(changed, width)[0], "", told))
        strips = [Strip("", frames)]
        for number, values in sweeps:
            swept = changed.repeat(len(values), 1)
            swept[:, number] = torch.tensor(values)
            row = [Frame(image, f"{value:.2f}", "") for image, value in zip(shown(swept, width), values, strict=True)]
            strips.append(Strip(f"number {number}, here {float(changed[0, number]):.2f}", row))
        alone = pixels.to_image(system.decode(changed)[0].cpu())
    said = [told] if told else [] if sweeps else [_listed(code[0].tolist())]
    return Edited(strips, alone, said)


EDITORS: dict[str, Callable[["Loaded", "Tensor", Options], Edited]] = {"Latent": by_number}
"""Capability -> how systems that have it edit."""


def _sized(image: "Image.Image", loaded: "Loaded", width: int) -> "Image.Image":
    from telldraw.drawing.sheet import enlarge

    return enlarge(image.convert("RGB"), max(1, round(width / image.width)), loaded.card.get("aspect", 1.0))


def _listed(code: list[float]) -> str:
    return "code: " + ", ".join(f"{number}={value:.2f}" for number, value in enumerate(code))


def _change(flag: str, word: str, count: int) -> tuple[int, float]:
    """Read "3=2.0" as (3, 2.0). Raises TelldrawError naming the flag and what is wrong."""
    number, equals, value = word.partition("=")
    if not equals:
        raise TelldrawError(f"{flag} {word}: a number of the code and its value are needed, such as 3=2.0")
    return _number(flag, word, number, count), _value(flag, word, value)


def _sweeps(word: str, count: int) -> list[tuple[int, list[float]]]:
    """Read "3=-3:3:7" as [(3, seven values from -3 to 3)]; "all=..." gives one for each number of the code."""
    number, _, rest = word.partition("=")
    parts = rest.split(":")
    if len(parts) != 3:
        raise TelldrawError(f"--sweep {word}: a number of the code and from, to and how many are needed: 3=-3:3:7")
    first, last = (_value("--sweep", word, part) for part in parts[:2])
    if not parts[2].isdecimal() or not 2 <= int(parts[2]) <= _MOST:
        raise TelldrawError(f"--sweep {word}: {parts[2]!r} is no count of pictures; give a whole number, 2 to {_MOST}")
    steps = int(parts[2])
    values = [first + (last - first) * step / (steps - 1) for step in range(steps)]
    numbers = range(count) if number == "all" else [_number("--sweep", word, number, count)]
    return [(each, values) for each in numbers]


def _number(flag: str, word: str, text: str, count: int) -> int:
    if not text.strip().isdecimal() or int(text) >= count:
        raise TelldrawError(
            f"{flag} {word}: the code has no number {text!r}; it has {count}, numbered 0 to {count - 1}"
        )
    return int(text)


def _value(flag: str, word: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TelldrawError(f"{flag} {word}: {text!r} is no number; a value such as 2.0 or -1.5 is needed")
    return value
