"""What is said of scenes of one or two solids, and how it is read back: nothing of floor, light or camera.

A caption names colour and shape of every solid, mostly its size, and of two mostly where one stands seen from the
other, by one of the sentences below. The other words for sizes and shapes are CLEVR's ("big", "tiny", "block", "ball";
Johnson et al. 2017). Adjectives stand before their noun, or, of one solid, after it; nothing else is adjective or noun.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from telldraw.data.clevr.birds import Kind, Scene
from telldraw.data.clevr.stage import COLOURS

SIZES = {"large": ("large", "big"), "small": ("small", "tiny")}
SHAPES = {"cube": ("cube", "block"), "sphere": ("sphere", "ball"), "cylinder": ("cylinder",)}
"""Name -> the words for it."""

FULL, UNSIZED, UNRELATED = 0, 0.25, 0.2
"""Number of the caption that says all; shares of the others without a solid's size, or without a relation."""

ALONE = (
    "a {size} {colour} {shape}",
    "one {size} {colour} {shape}",
    "there is a {size} {colour} {shape}",
    "here is a {size} {colour} {shape}",
    "this is a {size} {colour} {shape}",
    "a {size} {shape} that is {colour}",
    "the {size} {shape} is {colour}",
    "a {colour} {shape} that is {size}",
    "the {colour} {shape} is {size}",
    "a {shape} that is {size} and {colour}",
    "the {shape} is {colour} and {size}",
)
ALONE_UNSIZED = (
    "a {colour} {shape}",
    "one {colour} {shape}",
    "there is a {colour} {shape}",
    "here is a {colour} {shape}",
    "a {shape} that is {colour}",
    "the {shape} is {colour}",
)
RELATED = (
    "a {first} {where} a {second}",
    "one {first} {where} one {second}",
    "there is a {first} {where} a {second}",
    "a {first} is {where} a {second}",
    "the {first} is {where} the {second}",
    "a {first} stands {where} the {second}",
    "{where} a {second} there is a {first}",
    "{where} the {second} stands a {first}",
    "a {second} with a {first} {thence}",
    "a {second} and, {thence}, a {first}",
)
SIDE_BY_SIDE = (
    "a {first} and a {second}",
    "one {first} and one {second}",
    "there is a {first} and a {second}",
    "here are a {first} and a {second}",
)

_Choice = TypeVar("_Choice")


class Named(NamedTuple):
    """A solid as it is called."""

    colour: str
    shape: str
    size: str = ""  # "": not said

    def fits(self, kind: Kind) -> bool:
        """Whether it is true of this kind."""
        return self.colour == kind.colour and self.shape == kind.shape and self.size in ("", kind.size)


class Said(NamedTuple):
    """What a caption says."""

    named: tuple[Named, ...]  # one or two, in the order of words
    depth: str = ""  # where the first of them stands seen from the second: "behind", "in front of" or "" (not said)
    side: str = ""  # likewise "left", "right" or ""

    def fits(self, shown: Scene) -> bool:
        """Whether it is true of a scene, and of all of it: no solid is left out."""
        kinds, behind, right = shown.content
        if len(self.named) != len(kinds):
            return False
        if not all(name.fits(kind) for name, kind in zip(self.named, kinds, strict=True)):
            kinds, behind, right = kinds[::-1], not behind, not right
            if not all(name.fits(kind) for name, kind in zip(self.named, kinds, strict=True)):
                return False
        depth, side = _BEHIND[behind], _RIGHT[right]
        return self.depth in ("", depth) and self.side in ("", side)


_BEHIND, _RIGHT = ("in front of", "behind"), ("left", "right")


def captions(rng: np.random.Generator, shown: Scene, count: int) -> list[str]:
    """So many different captions of a scene; number FULL is "a large red cube behind and to the left of ...": all."""
    said = [_plain(shown)]
    while len(said) < count:
        caption = _alone(rng, shown.content.kinds[0]) if len(shown.solids) == 1 else _both(rng, shown)
        if caption not in said:
            said.append(caption)
    return said


def _plain(shown: Scene) -> str:
    kinds, behind, right = shown.content
    first, *second = (" ".join(kind) for kind in kinds)
    return f"a {first} {_where(_BEHIND[behind], _RIGHT[right])} a {second[0]}" if second else f"a {first}"


def _alone(rng: np.random.Generator, kind: Kind) -> str:
    form = _pick(rng, ALONE_UNSIZED if rng.random() < UNSIZED else ALONE)
    return form.format(size=_pick(rng, SIZES[kind.size]), colour=kind.colour, shape=_pick(rng, SHAPES[kind.shape]))


def _both(rng: np.random.Generator, shown: Scene) -> str:
    kinds, behind, right = shown.content
    if rng.random() < 0.5:
        kinds, behind, right = kinds[::-1], not behind, not right
    first, second = (_called(rng, kind) for kind in kinds)
    if rng.random() < UNRELATED:
        return _pick(rng, SIDE_BY_SIDE).format(first=first, second=second)
    said = _pick(rng, ("both", "depth", "side"))
    depth = _BEHIND[behind] if said != "side" else ""
    side = _RIGHT[right] if said != "depth" else ""
    form = _pick(rng, RELATED)
    return form.format(first=first, second=second, where=_where(depth, side), thence=_thence(depth, side))


def _called(rng: np.random.Generator, kind: Kind) -> str:
    size = "" if rng.random() < UNSIZED else _pick(rng, SIZES[kind.size]) + " "
    return f"{size}{kind.colour} {_pick(rng, SHAPES[kind.shape])}"


def _where(depth: str, side: str) -> str:
    return " and ".join(part for part in (depth, side and f"to the {side} of") if part)


def _thence(depth: str, side: str) -> str:
    return " and ".join(part for part in (depth and f"{depth} it", side and f"to its {side}") if part)


def _pick(rng: np.random.Generator, choices: Sequence[_Choice]) -> _Choice:
    return choices[int(rng.integers(len(choices)))]


# --- reading ------------------------------------------------------------------------------------------------------

_MEANING = {word: name for words in (SIZES, SHAPES) for name, many in words.items() for word in many}
_MEANING |= {colour: colour for colour in COLOURS}
_BEGINS = re.compile(r"behind|in front|to the (left|right)")


def parse(caption: str) -> Said:
    """Read a caption back. Raises ValueError where it is none of this language's."""
    words = re.findall(r"[a-z]+", caption.lower())
    found: list[dict[str, str]] = []
    adjectives: dict[str, str] = {}
    for word in words:
        name = _MEANING.get(word, "")
        if name in SHAPES:
            found.append({**adjectives, "shape": name})
            adjectives = {}
        elif name:
            adjectives["size" if name in SIZES else "colour"] = name
    if adjectives and found:  # "the cube is red": said after it
        found[-1] |= adjectives
    if not 1 <= len(found) <= 2 or not all("colour" in one for one in found):
        raise ValueError(f"{caption!r} does not name one or two solids by colour and shape")
    depth = "behind" if "behind" in words else "in front of" if "front" in words else ""
    side = next((word for word in ("left", "right") if word in words), "")
    if _BEGINS.match(caption.lower()) or "it" in words or "its" in words:  # it is the second that is said to be there
        depth = {"behind": "in front of", "in front of": "behind", "": ""}[depth]
        side = {"left": "right", "right": "left", "": ""}[side]
    return Said(tuple(Named(**one) for one in found), depth, side)
