"""`telldraw edit`: a picture is encoded, its code changed, and the code decoded.

How a code is changed depends on what the system can do: a line in `EDITORS` for each way. torch is imported inside the
functions that need it, so that `--help` and a wrong flag are answered at once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro

from telldraw.errors import TelldrawError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from telldraw.drawing.sheet import Strip
    from telldraw.weights import Loaded

_WIDTH, _SWEEP_WIDTH = 192, 96
"""Pictures are enlarged to about so many pixels of width; in a sweep, where there are many, to less."""
_MOST, _MOST_STEPS = 100, 10_000
_FARTHEST, _HEAVIEST = 10.0, 1_000.0  # strength, weight of CLIP
_USUAL = "tedigan-faces-64"
"""The weights that are meant where a picture alone is named."""
Change = tyro.conf.UseAppendAction[tuple[str, ...]]


@dataclass(frozen=True)
class Options:
    """Change a picture: by telling what is to be different (tedigan), or by the numbers of its code (vae).

    Writes a sheet: the picture, what its code gives, and what the changed code gives. Several texts are told one after
    the other. Numbers: with --sweep a row of pictures for each number swept; without any change, prints the code.

      telldraw edit tedigan-faces-64 photo.png "he is smiling, with blond hair" "he wears a hat"
      telldraw edit tedigan-faces-64 photo.png --sketch other.png
      telldraw edit runs/vae-mnist --data mnist-28.telldraw --index 7 --set 3=2.0 --add 5=-1.5
      telldraw edit runs/vae-mnist five.png --sweep 3=-3:3:7 --sweep 11=-3:3:7
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")]
    """A name from `telldraw weights`, a weights folder, or the folder of a training run."""
    picture: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="PICTURE", help_behavior_hint="")] = (
        None
    )
    """The picture to edit; or give --data and --index."""
    texts: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="TEXT")] = ()
    """What is to be different: "she wears eyeglasses", "no hat". Each is told to what the one before made."""
    how: Literal["move", "replace"] = "move"
    """What a text does to the layers it is about: moves their codes from the contrary, or from a person of whom nothing
    is said, towards itself; or replaces them by its own, as in the paper."""
    strength: float = 1.4
    """Of a move: how far, in what two texts differ by; 1 brings the average face across and turns two in three or more,
    2 turns nearly all and changes more besides."""
    layers: str | None = None
    """The layers to change, such as 0-3,8, instead of the table's."""
    table: str | None = None
    """Which layers an attribute has: auto (measured by telldraw layers), tedigan14, idinvert14 or all."""
    sketch: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Take the structure from this sketch, dark lines on white."""
    label: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Take the structure from this map of regions, a PNG whose pixels are numbers of regions."""
    steps: int = 100
    """Steps in which the code is fitted to this one picture before it is changed (instance-level optimisation); 0: as
    it is read."""
    perceptual: str | None = None
    """Whose features compare pictures in these steps, as in telldraw train; without it, pixels alone."""
    set: Annotated[Change, tyro.conf.arg(metavar="N=VALUE", help_behavior_hint="")] = ()
    """Make number N of the code, counted from 0, this value. Before a picture is seen each is N(0, 1). Repeatable."""
    add: Annotated[Change, tyro.conf.arg(metavar="N=VALUE", help_behavior_hint="")] = ()
    """Add this value to number N, after --set. Repeatable."""
    sweep: Annotated[Change, tyro.conf.arg(metavar="N=FROM:TO:COUNT", help_behavior_hint="")] = ()
    """A row of COUNT pictures in which number N, or each in turn where N is `all`, goes from FROM to TO. Repeatable."""
    clip: str | None = None
    """Also fit the code to each text by this CLIP model, a folder or a name on the Hugging Face hub (needs
    transformers); so many steps again."""
    clip_weight: float = 1.0
    """Of 1 - cosine of picture and text in CLIP, beside the pixels' mean square."""
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
    options = _sorted(tyro.cli(Options, args=argv, prog="telldraw edit"))
    _check(options)
    from telldraw.commands import loading, picture_input
    from telldraw.drawing.files import save_picture
    from telldraw.drawing.sheet import contact_sheet
    from telldraw.systems import SYSTEMS

    loaded = loading.load(options.weights, options.device, tuple(EDITORS), "edit pictures")
    able = SYSTEMS[loaded.card["system"]].capabilities
    way = next(capability for capability in EDITORS if capability in able)
    _check_way(way, loaded, options)
    if options.data is not None:
        collection = picture_input.open_collection(options.data, loaded)
        picture = picture_input.of_collection(collection, options.split, options.index)
    else:
        assert options.picture is not None
        picture = picture_input.of_file(options.picture, loaded, resize=options.resize)
    edited = EDITORS[way](loaded, picture, options)
    for line in edited.said:
        print(line)
    save_picture(contact_sheet(edited.strips), options.out)
    print(options.out)
    if options.only is not None:
        save_picture(edited.picture, options.only)
        print(options.only)


def _sorted(options: Options) -> Options:
    """What stands where by position: weights may be left out, and with --data there is no picture before the texts."""
    from telldraw.data.pictures import ENDINGS

    weights, picture, texts = options.weights, options.picture, options.texts
    first = Path(weights)
    if first.suffix.lower() in ENDINGS and options.data is None:  # no weights have such a name
        texts = (str(picture), *texts) if picture is not None else texts
        weights, picture = _USUAL, first
    elif options.data is not None and picture is not None and picture.suffix.lower() not in ENDINGS:
        texts, picture = (str(picture), *texts), None
    return replace(options, weights=weights, picture=picture, texts=texts)


def _check(options: Options) -> None:
    """Raise TelldrawError for flags that exclude each other and files that could not be written."""
    from telldraw.drawing import files

    if (options.picture is None) == (options.data is None):
        raise TelldrawError("name one picture to edit: a file, or --data PREPARED with --index N")
    files.check_file(options.out, files.PICTURES, "--out")
    if options.only is not None:
        files.check_file(options.only, files.PICTURES, "--only")
    if not 0 <= options.steps <= _MOST_STEPS:
        raise TelldrawError(f"--steps {options.steps}: 0 to {_MOST_STEPS:,} steps can be taken")
    for flag, value, most in (
        ("--strength", options.strength, _FARTHEST),
        ("--clip-weight", options.clip_weight, _HEAVIEST),
    ):
        if not 0 <= value <= most:  # nan is neither
            raise TelldrawError(f"{flag} {value:g}: a number from 0 to {most:g} is needed")


def _check_way(way: str, loaded: "Loaded", options: Options) -> None:
    """Raise TelldrawError for what belongs to another way to edit than that of the weights."""
    if way == "Guided":
        if wrong := next((flag for flag in _NUMBERS if getattr(options, flag)), None):
            raise TelldrawError(f"--{wrong} changes numbers of a code; {loaded.name} is told in words what to change")
        _check_told(options)
        return
    if options.texts:
        raise TelldrawError(
            f"{options.texts[0]!r}: {loaded.name} is not told in words; change its numbers (--set, --add, --sweep)"
        )
    if wrong := next((flag for flag in _TOLD if _given(options, flag)), None):
        raise TelldrawError(
            f"{_named(wrong)} is for weights that are told in words, and {loaded.name} are not; drop it"
        )


_NUMBERS = ("set", "add", "sweep")
_OF_TEXTS = ("table", "how", "strength", "clip", "clip_weight")
_TOLD = ("sketch", "label", "layers", *_OF_TEXTS, "steps", "perceptual")


def _check_told(options: Options) -> None:
    """Raise TelldrawError for a flag that would be without effect beside these."""
    if not options.texts:
        if wrong := next((flag for flag in _OF_TEXTS if _given(options, flag)), None):
            raise TelldrawError(f"{_named(wrong)} is for texts, and there is none; say what is to be different")
        if options.layers is not None and options.sketch is None and options.label is None:
            raise TelldrawError(
                f"--layers {options.layers}: nothing is to be changed; give a text, --sketch or --label"
            )
    if options.how == "replace" and _given(options, "strength"):
        raise TelldrawError(f"--strength {options.strength:g} is of a move, and --how is replace; drop one of them")
    if options.clip is None and _given(options, "clip_weight"):
        raise TelldrawError(f"--clip-weight {options.clip_weight:g} weighs a CLIP model; name it with --clip")
    for flag, value in (("--perceptual", options.perceptual), ("--clip", options.clip)):
        if value is not None and not options.steps:
            raise TelldrawError(f"{flag} {value} is for fitting, and --steps is 0; drop one of them")


def _given(options: Options, flag: str) -> bool:
    """Whether a flag is not as it is unless given."""
    usual = {each.name: each.default for each in fields(Options)}
    return getattr(options, flag) != usual[flag]


def _named(flag: str) -> str:
    return f"--{flag.replace('_', '-')}"


def by_text(loaded: "Loaded", picture: "Tensor", options: Options) -> Edited:
    """Find the code of a picture [1, 3, H, W] in [-1, 1], change it by what is told, and draw it: a `Guided` system."""
    from telldraw import pixels
    from telldraw.commands import guided
    from telldraw.drawing.sheet import Frame, Strip

    picture = picture.to(options.device)
    found = guided.Source(
        steps=options.steps,
        perceptual=options.perceptual,
        clip=options.clip,
        clip_weight=options.clip_weight,
        name=str(options.picture or f"picture {options.index}"),
    )
    states = guided.edited(
        loaded,
        picture,
        found,
        guided.Given(
            options.texts,
            options.sketch,
            options.label,
            layers=options.layers,
            table=options.table,
            how=options.how,
            resize=options.resize,
        ),
        strength=options.strength,
    )
    frames = [Frame(_sized(pixels.to_image(state.image), loaded, _WIDTH), "", state.said) for state in states]
    said = [state.detail for state in states if state.detail]
    return Edited([Strip("", frames)], pixels.to_image(states[-1].image), said)


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


EDITORS: dict[str, Callable[["Loaded", "Tensor", Options], Edited]] = {"Latent": by_number, "Guided": by_text}
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
