"""What systems that read texts, sketches, maps of regions and pictures alike (`Guided`) draw: from any two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from telldraw import pixels
from telldraw.commands import picture_input, steering
from telldraw.commands.guide_input import regions_of, sketch_of
from telldraw.commands.picture_sheets import noises
from telldraw.drawing.sheet import Frame, Strip, enlarge
from telldraw.errors import TelldrawError
from telldraw.protocols import Guided

if TYPE_CHECKING:
    from telldraw.data.collection import Collection
    from telldraw.metrics.clip import Clip
    from telldraw.weights import Loaded

SOURCES = ("text", "image", "sketch", "label", "noise")
"""Where a code can come from, as flags name it; a label is a map of regions."""
TRUNCATION = 0.7
_KIND = {"label": "regions"}
_DRAWN = ("sketch", "label")  # which have a structure and no colours
_HELD = 0.1  # weight of the distance from the code that a text is fitted from
_STRANGE = 3.0  # standard deviations from which a picture is called unlike those of the training
_FLAT = 0.1  # spread of a channel's values, -1 to 1, below which nothing is to be seen; drawn faces have 0.19 or more
_TOGETHER, _WIDTH, _COLUMNS = 64, 96, 8
_NOISES = 2048


@dataclass(frozen=True)
class Given:
    """What there is to draw from, and how it is put together; see the flags of `telldraw generate`."""

    captions: tuple[str, ...] = ()
    sketch: Path | None = None
    label: Path | None = None
    image: Path | None = None
    content: str | None = None
    style: str | None = None
    layers: str | None = None
    table: str | None = None
    how: str = "move"
    resize: bool = False
    truncation: float | None = None

    def named(self) -> list[str]:
        """Which of SOURCES are given, the first one the content unless said otherwise."""
        there = {"text": bool(self.captions), "sketch": self.sketch, "label": self.label, "image": self.image}
        return [name for name, one in there.items() if one]


def wanted(loaded: "Loaded", given: Given) -> bool:
    """Whether these weights can be told by something, and are. Raises TelldrawError when others are told by a file."""
    named = given.named()
    if isinstance(loaded.system, Guided):
        _check(given, named)
        return bool(named)
    for name in ("sketch", "image", "label"):
        if name in named:
            raise TelldrawError(f"--{name} {getattr(given, name)}: {loaded.name} reads no {name}; drop the flag")
    for name in ("content", "style", "layers", "table"):
        if getattr(given, name) is not None:
            raise TelldrawError(f"--{name} {getattr(given, name)}: {loaded.name} has no layered codes; drop the flag")
    return False


def _check(given: Given, named: Sequence[str]) -> None:
    """Raise TelldrawError for flags that would be without effect."""
    for flag in ("content", "style", "layers", "table"):
        value = getattr(given, flag)
        if value is not None and not named:
            raise TelldrawError(
                f"--{flag} {value}: nothing is given to draw from; give a caption, --sketch, --label or --image"
            )
    if given.table is not None and "text" not in named:
        raise TelldrawError(f"--table {given.table}: layers of attributes are for a text; give a caption, or drop it")
    if given.truncation is not None and named:
        raise TelldrawError(f"--truncation {given.truncation} is for pictures from noise alone; drop it")


def drawn(loaded: "Loaded", given: Given, count: int, *, seed: int = 0, device: str = "cpu") -> Tensor:
    """Pictures [rows, count, 3, H, W] in [-1, 1]: a row for each caption, or one; a column has one noise.

    The content's code in the layers of what is asked (of a text: by the table; of a sketch, label or picture: those of
    structure), the style's in the others (Xia et al. 2021, Sec. 3.3). Of a text, unless layers are named or `how` is
    "replace": with noise alone `steering.Moves.imagined`, else the other's code, moved by the text. Raises
    TelldrawError.
    """
    system: Any = loaded.system
    content, style = _pair(given)
    table = steering.table_of(loaded, given.table)
    chosen = None if given.layers is None else steering.parsed(given.layers, system.layers)
    move = given.how == "move" and chosen is None
    steering.check_texts(loaded, given.captions, "move" if move else "replace")
    with torch.inference_mode():
        codes = {name: _codes(loaded, given, name, device) for name in {content, style} - {"noise"}}
        z = system.map(noises(seed, count, system.noise_dim, device))
        middle = mean_of(system)
        codes["noise"] = middle + TRUNCATION * (z - middle)
        moves, rows = steering.Moves(loaded, table), []
        for row, caption in enumerate(given.captions or ("",)):
            parts = {name: (own if name == "noise" else own[row : row + 1]).expand_as(z) for name, own in codes.items()}
            wanted = steering.understood(loaded, caption)
            other = next((name for name in (content, style) if name not in ("text", "noise")), None)
            if move and (content, style) == ("text", "noise"):
                code = moves.imagined(parts["text"], wanted, z - middle)
            elif move and "text" in (content, style) and other is not None:
                free = steering.structure(system.layers) if other != "image" else range(system.layers)
                code = steering.mixed(parts[other], parts["noise"], free)
                code = code + steering.STRENGTH * moves.of(wanted, code)
            else:
                layers = chosen if chosen is not None else _layers(content, style, wanted, table, system.layers)
                code = steering.mixed(parts[content], parts[style], layers)
            _tell_if_alike(code, caption)
            rows.append(synthesised(system, code))
    return torch.stack(rows)


def _layers(content: str, style: str, wanted: Mapping[str, bool], table: steering.Table, count: int) -> tuple[int, ...]:
    """The layers that are the content's."""
    if content == "text":
        return steering.layers_for(wanted, table, count)
    if style == "text" and content not in _DRAWN:  # what the text says of nothing is the content's
        text = steering.layers_for(wanted, table, count)
        return tuple(layer for layer in range(count) if layer not in text)
    return steering.structure(count)


def _tell_if_alike(code: Tensor, caption: str) -> None:
    """Say when codes [N, L, C] are the same, so that N pictures are one."""
    from telldraw.commands.progress import say

    if len(code) > 1 and bool((code == code[:1]).all()):
        of = f" of {caption!r}" if caption else ""
        say(f"all {len(code)} pictures{of} are the same, as nothing is left to noise; --n 1 is enough")


@torch.inference_mode()
def mean_of(system: Any) -> Tensor:
    """The mean code [L, C] of noise, over 2,048 of them."""
    return system.map(noises(0, _NOISES, system.noise_dim, system.mean.device)).mean(0)


def synthesised(system: Any, code: Tensor) -> Tensor:
    """Draw in parts: code [N, L, C] -> [N, 3, H, W] in [-1, 1], on the processor."""
    return torch.cat([system.synthesise(part).float().cpu() for part in code.split(_TOGETHER)])


def _pair(given: Given) -> tuple[str, str]:
    """Whose code is the content, and whose the style."""
    named = given.named()
    for flag, value in (("--content", given.content), ("--style", given.style)):
        if value is not None and value not in SOURCES:
            raise TelldrawError(f"{flag} {value}: choose from {', '.join(SOURCES)}")
        if value not in (None, "noise", *named):
            source = "a caption" if value == "text" else f"--{value} FILE"
            raise TelldrawError(f"{flag} {value}: nothing is given to read it from; give {source}")
    if given.content is not None and given.content == given.style:
        raise TelldrawError(f"--content and --style are both {given.style}: a code is put together from two sources")
    rest = [name for name in named if name not in (given.content, given.style)]
    content = given.content or (rest.pop(0) if rest else "noise")
    style = given.style or (rest.pop(0) if rest else "noise")
    if rest:
        flag = "a caption" if rest[0] == "text" else f"--{rest[0]}"
        raise TelldrawError(
            f"{flag} is one too many: a code is put together from two; drop it, or name --content and --style"
        )
    return content, style


def _codes(loaded: "Loaded", given: Given, name: str, device: str) -> Tensor:
    """Codes [rows, L, C] of one source: a row for each caption, else one."""
    system: Any = loaded.system
    if name == "text":
        texts = [steering.readable(loaded, text) if given.how == "move" else text for text in given.captions]
        return system.code_of("text", steering.words_of(loaded, texts, device))
    file: Path = getattr(given, name)
    try:
        if name == "image":
            read = picture_input.of_file(file, loaded, resize=given.resize)
        else:
            read = (sketch_of if name == "sketch" else regions_of)(file, loaded, resize=given.resize)
    except TelldrawError as error:
        raise type(error)(f"--{name}: {error}") from None
    read = read.to(device)
    if name == "image":
        warn_if_strange(system, read, str(file))
    code = system.code_of(_KIND.get(name, name), read)
    return code.expand(max(1, len(given.captions)), -1, -1)


def warn_if_strange(system: Any, picture: Tensor, name: str) -> None:
    """Say when a picture [1, 3, H, W] is not like those the weights were trained on: no face, or lying otherwise."""
    from telldraw.commands.progress import say

    if float((picture - picture.mean((2, 3), keepdim=True)).std()) < _FLAT:
        say(f"{name} is nearly of one colour; a face is needed, upright and in the middle")
        return
    off = float(system.unlike(picture)[0])
    if off > _STRANGE:
        say(
            f"{name} is not like the pictures these weights know: it is found again {off:.1f} standard deviations "
            "worse; a face is needed, upright and in the middle, cut out as theirs are"
        )


# --- a picture changed --------------------------------------------------------------------------------------------


class State(NamedTuple):
    """A picture on its way."""

    image: Tensor  # [3, H, W] in [-1, 1]
    code: Tensor  # [1, L, C]
    said: str  # what made it, for under the picture
    detail: str  # the same in figures, to print


@dataclass(frozen=True)
class Source:
    """How the code of a picture is found."""

    steps: int = 100
    """Of instance-level optimisation; 0: none."""
    perceptual: str | None = None
    clip: str | None = None
    """A CLIP model by which the code is then also fitted to each text (Radford et al. 2021)."""
    clip_weight: float = 1.0
    name: str = "the picture"


def edited(
    loaded: "Loaded",
    picture: Tensor,
    source: Source,
    given: Given,
    *,
    strength: float = steering.STRENGTH,
) -> list[State]:
    """A picture [1, 3, H, W], its code, and what comes of it: first by a sketch or map of regions, then text by text.

    Raises TelldrawError for what cannot be read.
    """
    system: Any = loaded.system
    device = str(picture.device)
    steering.check_texts(loaded, given.captions, given.how)
    if given.layers is None:
        steering.check_changes(loaded, given.captions)
    table, fits = steering.table_of(loaded, given.table), _fits(source, given.captions, device)
    with torch.no_grad():
        others = {name: _codes(loaded, given, name, device) for name in _DRAWN if getattr(given, name) is not None}
        warn_if_strange(system, picture, source.name)
        code = system.code_of("image", picture)
        states = [State(picture[0].cpu(), code, "picture", ""), _state(system, code, picture, "as read")]
    if source.steps:
        code = fitted(system, picture, code, source, device)
        states.append(_state(system, code, picture, f"after {source.steps} steps"))
    with torch.no_grad():
        for name, other in others.items():
            layers = steering.structure(system.layers)
            if given.layers is not None:
                layers = steering.parsed(given.layers, system.layers)
            code = steering.mixed(other[:1], code, layers)
            states.append(State(_image(system, code), code, f"with the structure of {getattr(given, name).name}", ""))
        for text, fit in zip(given.captions, fits, strict=True):
            change = steering.Change(loaded, text, table=table, layers=given.layers, how=given.how, strength=strength)
            code = change(code)
            about = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in change.wanted.items())
            layers = ", ".join(map(str, change.layers))
            detail = f"{text!r} is about {about or 'nothing that is known'}; layers {layers}"
            states.append(State(_image(system, code), code, text, detail))
            if fit is not None:
                made = system.synthesise(code)  # held to what the text has made, not to the face before it
                with torch.enable_grad():
                    code = fitted(system, made, code, source, device, fit)
                states.append(State(_image(system, code), code, f"{text}, by CLIP", ""))
    return states


def _fits(source: Source, texts: Sequence[str], device: str) -> "list[Clip | None]":
    """How badly each text fits a picture, by the source's CLIP model, if it has one."""
    if source.clip is None:
        return [None] * len(texts)
    from telldraw.metrics.clip import Clip

    return [Clip(source.clip, text, device) for text in texts]


def fitted(
    system: Any, picture: Tensor, code: Tensor, source: Source, device: str, fit: "Clip | None" = None
) -> Tensor:
    """Instance-level optimisation from a code [1, L, C], with a progress bar (Xia et al. 2021, Eq. 4).

    With a fit, a text's by a CLIP model, the code is to suit that too, and what it starts as is what holds it.
    """
    from telldraw.commands.progress import progress_of

    if source.perceptual is not None:
        from telldraw.commands.perceiving import load

        system.perceive(load(source.perceptual, device))
    how: dict[str, Any] = {"steps": source.steps}
    if fit is not None:
        how |= {"told": lambda images: source.clip_weight * fit(images), "anchor": (code, _HELD)}
    with progress_of("fitted") as tell:
        tell(0, source.steps)
        return system.optimise(picture, code, each=lambda step, loss: tell(step, source.steps), **how)


def _image(system: Any, code: Tensor) -> Tensor:
    return system.synthesise(code)[0].float().cpu()


def _state(system: Any, code: Tensor, picture: Tensor, said: str) -> State:
    """What a code found for a picture gives, and how far that is from it."""
    with torch.no_grad():
        image = system.synthesise(code)
        error = float((image - picture).square().mean())
    return State(image[0].float().cpu(), code, said, f"{said}: mean square error {error:.4f} (pixels in [-1, 1])")


# --- sample sheets ------------------------------------------------------------------------------------------------


@torch.inference_mode()
def sheet(
    system: Any, collection: "Collection", rows: Sequence[int], *, device: torch.device | str = "cpu"
) -> list[Strip]:
    """Validation pictures, and what is drawn from their other forms, as far as the system reads them."""
    own = list(rows)[: 2 * _COLUMNS]
    shown = {"true": pixels.to_float(torch.from_numpy(collection.images[own]))}
    for kind, given in forms(collection, own).items():
        if kind == "image" or not system.ready[("image", "sketch", "regions", "text").index(kind)]:
            continue
        if kind == "sketch":
            shown["sketch"] = given.expand(-1, 3, -1, -1)
        shown[f"of the {kind}"] = synthesised(system, system.code_of(kind, given.to(device)))
    if len(shown) == 1:
        return []
    strips = []
    for at, row in enumerate(own):
        frames = []
        for name, images in shown.items():
            picture = pixels.to_image(images[at]).convert("RGB")
            frames.append(Frame(enlarge(picture, max(1, round(_WIDTH / picture.width))), "", name))
        said = collection.captions(row)
        strips.append(Strip(said[0][:160] if said else "", frames))
    return strips


def forms(collection: "Collection", rows: Sequence[int]) -> Mapping[str, Tensor]:
    """What a set has of these pictures, by kind, as `Guided.code_of` takes it; of captions the first."""
    found = {"image": pixels.to_float(torch.from_numpy(collection.images[list(rows)]))}
    if "sketch" in collection.maps:
        sketch: Any = collection.maps["sketch"].rows
        found["sketch"] = pixels.to_float(torch.from_numpy(sketch[list(rows)])).unsqueeze(1)
    if "regions" in collection.maps:
        regions: Any = collection.maps["regions"].rows
        found["regions"] = torch.from_numpy(regions[list(rows)]).long()
    if collection.vocabulary is not None:
        from telldraw.text import coded

        said = [(collection.captions(row) or [""])[0] for row in rows]
        found["text"] = torch.from_numpy(coded(said, collection.vocabulary)[1])
    return found
