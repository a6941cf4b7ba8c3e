"""What systems that read texts, sketches, maps of regions and pictures alike (`Guided`) draw: from any two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from telldraw import pixels
from telldraw.commands import picture_input, steering
from telldraw.commands.picture_sheets import noises
from telldraw.drawing.sheet import Frame, Strip, enlarge
from telldraw.errors import TelldrawError
from telldraw.protocols import Guided

if TYPE_CHECKING:
    from telldraw.data.collection import Collection
    from telldraw.weights import Loaded

SOURCES = ("text", "image", "sketch", "label", "noise")
"""Where a code can come from, as flags name it; a label is a map of regions."""
TRUNCATION = 0.7
_KIND = {"label": "regions"}
_HELD = 0.1  # weight of the distance from the code that a text is fitted from
_STRANGE = 3.0  # standard deviations from which a picture is called unlike those of the training
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

    def named(self) -> list[str]:
        """Which of SOURCES are given, the first one the content unless said otherwise."""
        there = {"text": bool(self.captions), "sketch": self.sketch, "label": self.label, "image": self.image}
        return [name for name, one in there.items() if one]


def wanted(loaded: "Loaded", given: Given) -> bool:
    """Whether these weights can be told by something, and are. Raises TelldrawError when others are told by a file."""
    named = given.named()
    if isinstance(loaded.system, Guided):
        return bool(named)
    for name in ("sketch", "image", "label"):
        if name in named:
            raise TelldrawError(f"--{name} {getattr(given, name)}: {loaded.name} reads no {name}; drop the flag")
    for name in ("content", "style", "layers", "table"):
        if getattr(given, name) is not None:
            raise TelldrawError(f"--{name} {getattr(given, name)}: {loaded.name} has no layered codes; drop the flag")
    return False


def drawn(loaded: "Loaded", given: Given, count: int, *, seed: int = 0, device: str = "cpu") -> Tensor:
    """Pictures [rows, count, 3, H, W] in [-1, 1]: a row for each caption, or one; a column has one noise.

    The content's code in the layers of what is asked (of a text: by the table; of a sketch, label or picture: those of
    structure), the style's in the others (Xia et al. 2021, Sec. 3.3). From a text and noise alone, unless layers are
    named or `how` is "replace": `steering.Moves.imagined`. Raises TelldrawError.
    """
    system: Any = loaded.system
    content, style = _pair(given)
    steering.check_texts(loaded, given.captions)
    table = steering.table_of(loaded, given.table)
    chosen = steering.parsed(given.layers, system.layers) if given.layers else None
    with torch.inference_mode():
        codes = {name: _codes(loaded, given, name, device) for name in {content, style} - {"noise"}}
        z = system.map(noises(seed, count, system.noise_dim, device))
        middle = mean_of(system)
        if (content, style) == ("text", "noise") and given.how == "move" and chosen is None:
            moves, beside = steering.Moves(loaded, table), z - middle
            return torch.stack([
                synthesised(system, moves.imagined(codes["text"][row].expand_as(z), steering.asked(caption), beside))
                for row, caption in enumerate(given.captions)
            ])  # fmt: skip
        free = middle + TRUNCATION * (z - middle)
        rows = []
        for row, caption in enumerate(given.captions or ("",)):
            parts = {name: own[row if name == "text" else 0].expand_as(free) for name, own in codes.items()}
            parts["noise"] = free
            layers = chosen
            if layers is None and "text" in (content, style):
                layers = steering.layers_for(steering.asked(caption), table, system.layers)
                if content != "text":  # what the text says of nothing is the content's
                    layers = tuple(n for n in range(system.layers) if n not in layers)
            if layers is None:
                layers = steering.structure(system.layers)
            rows.append(synthesised(system, steering.mixed(parts[content], parts[style], layers)))
    return torch.stack(rows)


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
    rest = [name for name in named if name not in (given.content, given.style)]
    content = given.content or (rest.pop(0) if rest else "noise")
    style = given.style or (rest.pop(0) if rest else "noise")
    if rest:
        raise TelldrawError(f"--{rest[0]}: a code is put together from two; drop it, or name --content and --style")
    return content, style


def _codes(loaded: "Loaded", given: Given, name: str, device: str) -> Tensor:
    """Codes [rows, L, C] of one source: a row for each caption, else one."""
    system: Any = loaded.system
    if name == "text":
        return system.code_of("text", steering.words_of(loaded, given.captions, device))
    if name == "image":
        assert given.image is not None
        picture = picture_input.of_file(given.image, loaded, resize=given.resize).to(device)
        warn_if_strange(system, picture, str(given.image))
        return system.code_of("image", picture)
    file = given.sketch if name == "sketch" else given.label
    assert file is not None
    read = sketch_of if name == "sketch" else regions_of
    return system.code_of(_KIND.get(name, name), read(file, loaded, resize=given.resize).to(device))


def warn_if_strange(system: Any, picture: Tensor, name: str) -> None:
    """Say when a picture [1, 3, H, W] is not like those the weights were trained on: no face, or lying otherwise."""
    from telldraw.commands.progress import say

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
    how: str = "move",
    strength: float = steering.STRENGTH,
    resize: bool = False,
) -> list[State]:
    """A picture [1, 3, H, W], its code, and what comes of it: first by a sketch or map of regions, then text by text.

    Raises TelldrawError for what cannot be read.
    """
    system: Any = loaded.system
    device = str(picture.device)
    steering.check_texts(loaded, given.captions)
    table = steering.table_of(loaded, given.table)
    with torch.no_grad():
        warn_if_strange(system, picture, source.name)
        code = system.code_of("image", picture)
        states = [State(picture[0].cpu(), code, "picture", ""), _state(system, code, picture, "as read")]
    if source.steps:
        code = fitted(system, picture, code, source, device)
        states.append(_state(system, code, picture, f"after {source.steps} steps"))
    with torch.no_grad():
        for name, file in (("sketch", given.sketch), ("label", given.label)):
            if file is not None:
                read = sketch_of if name == "sketch" else regions_of
                other = system.code_of(_KIND.get(name, name), read(file, loaded, resize=resize).to(device))
                layers = steering.structure(system.layers)
                if given.layers:
                    layers = steering.parsed(given.layers, system.layers)
                code = steering.mixed(other, code, layers)
                states.append(State(_image(system, code), code, f"with the structure of {file.name}", ""))
        for text in given.captions:
            change = steering.Change(loaded, text, table=table, layers=given.layers, how=how, strength=strength)
            code = change(code)
            about = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in change.wanted.items())
            layers = ", ".join(map(str, change.layers))
            detail = f"{text!r} is about {about or 'nothing that is known: all layers are changed'}; layers {layers}"
            states.append(State(_image(system, code), code, text, detail))
            if source.clip is not None:
                with torch.enable_grad():
                    code = fitted(system, picture, code, source, device, text)
                states.append(State(_image(system, code), code, f"{text}, by CLIP", ""))
    return states


def fitted(system: Any, picture: Tensor, code: Tensor, source: Source, device: str, text: str = "") -> Tensor:
    """Instance-level optimisation from a code [1, L, C], with a progress bar (Xia et al. 2021, Eq. 4).

    With a text the code is to fit that by the source's CLIP model too, and what it starts as is what holds it.
    """
    from telldraw.commands.progress import progress_of

    if source.perceptual is not None:
        from telldraw.commands.perceiving import load

        system.perceive(load(source.perceptual, device))
    how: dict[str, Any] = {"steps": source.steps}
    if text:
        from telldraw.metrics.clip import Clip

        assert source.clip is not None
        fits = Clip(source.clip, text, device)
        how |= {"told": lambda images: source.clip_weight * fits(images), "anchor": (code, _HELD)}
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


# --- files --------------------------------------------------------------------------------------------------------


def sketch_of(file: Path, loaded: "Loaded", *, resize: bool = False) -> Tensor:
    """A sketch, dark lines on white: [1, 1, H, W] in [-1, 1]. Raises TelldrawError."""
    image = _opened(file).convert("RGBA")
    paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
    grey = Image.alpha_composite(paper, image).convert("L")
    side = _side(file, grey, loaded, resize)
    array = np.asarray(grey.resize((side, side), Image.Resampling.LANCZOS) if grey.size != (side, side) else grey)
    if array.mean() < 64:
        raise TelldrawError(f"{file} is mostly dark; a sketch has dark lines on white paper: turn its colours around")
    return pixels.to_float(torch.from_numpy(array.copy()))[None, None]


def regions_of(file: Path, loaded: "Loaded", *, resize: bool = False) -> Tensor:
    """A map of regions, each pixel the number of its region: [1, H, W] int64. Raises TelldrawError."""
    system: Any = loaded.system
    image, count = _opened(file), system.config.region_count
    if image.mode not in ("L", "P", "1", "I"):
        raise TelldrawError(
            f"{file} is in colour ({image.mode}); a label map is a PNG whose pixels are numbers of regions, 0 to "
            f"{count - 1}"
        )
    side = _side(file, image, loaded, resize)
    array = np.asarray(image.resize((side, side), Image.Resampling.NEAREST)).astype(np.int64)
    if array.max() >= count:
        raise TelldrawError(f"{file} has region {array.max()}; {loaded.name} knows 0 to {count - 1}")
    return torch.from_numpy(array)[None]


def _opened(file: Path) -> Image.Image:
    try:
        with Image.open(file) as image:
            image.load()
            return image.copy()
    except FileNotFoundError:
        raise TelldrawError(f"there is no picture {file}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "it is no picture, or damaged"
        raise TelldrawError(f"{file} cannot be read as a picture: {str(reason).lower()}") from None


def _side(file: Path, image: Image.Image, loaded: "Loaded", resize: bool) -> int:
    system: Any = loaded.system
    side = system.config.resolution
    if image.size != (side, side) and not resize:
        raise TelldrawError(
            f"{file} has {image.width}x{image.height} pixels, {loaded.name} takes {side}x{side}; give --resize to make "
            "it fit"
        )
    return side


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
