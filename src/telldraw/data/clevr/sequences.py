"""Sequences of instructions and the scenes they make, by the rules of CLEVR and the language of i-CLEVR.

Rules of place, those of CLEVR's generator (Johnson et al. 2017): x and y in [-3, 3]; between two solids at least GAP;
seen from each other they differ by MARGIN or more along right and along behind, so that every relation is plain; of
each solid at least VISIBLE pixels of the 320 x 240 picture can be seen. No two solids share shape and colour.

Language (El-Nouby et al. 2019, Figure 4 and the published samples): "Add a blue cube at the center", then one or two
relations to "it", which is the solid of the turn before, or to a solid by name. A relation says behind or in front of,
left or right, or both. All of them are read off the true places on the ground.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np

from telldraw.data.clevr.geometry import Rays
from telldraw.data.clevr.stage import BEHIND, CANVAS, COLOURS, RIGHT, SHAPES, STAGE, Solid

REACH, GAP, MARGIN, VISIBLE = 3.0, 0.25, 0.4, 200
ROOM = 0.7
"""Radius that a solid needs on the ground; the corners of a cube reach as far."""
TURNS, EDIT_TURNS = 5, 8
LARGEST = 5
"""Most solids in a scene."""

_RASTER = 2  # visible pixels are counted on every second pixel each way
_TRIES = 60
_Choice = TypeVar("_Choice")


class Relation(NamedTuple):
    """Where a solid stands, seen from another one."""

    depth: str  # "behind", "in front of" or ""
    side: str  # "left", "right" or ""; not both are ""
    of: str  # "it" or the name of a solid

    def __str__(self) -> str:
        of = self.of if self.of == "it" else f"the {self.of}"
        if not self.depth:
            return f"on the {self.side} of {of}"
        return f"{self.depth} {of}" + (f" on the {self.side}" if self.side else "")

    def holds(self, placed: Solid, reference: Solid) -> bool:
        """Whether it is true of these two."""
        across, back = offset(placed, reference)
        depth = {"behind": back > 0, "in front of": back < 0, "": True}[self.depth]
        return depth and {"right": across > 0, "left": across < 0, "": True}[self.side]


class Turn(NamedTuple):
    """An instruction and the scene after it."""

    said: str
    solids: tuple[Solid, ...]  # in order of addition


def offset(placed: Solid, reference: Solid) -> tuple[float, float]:
    """How far `placed` stands to the right of and behind `reference`, in units of the ground."""
    step = np.array([placed.x - reference.x, placed.y - reference.y])
    return float(step @ RIGHT), float(step @ BEHIND)


# --- places -------------------------------------------------------------------------------------------------------


def apart(a: Solid, b: Solid) -> bool:
    """Whether two solids keep the rules of distance."""
    if np.hypot(a.x - b.x, a.y - b.y) < 2 * ROOM + GAP:
        return False
    return all(abs(step) >= MARGIN for step in offset(a, b))


@lru_cache(maxsize=1)
def _raster() -> Rays:
    """Rays of the pixels that are looked at."""
    width, height = CANVAS[0] // _RASTER, CANVAS[1] // _RASTER
    down, across = np.mgrid[0:height, 0:width].reshape(2, -1)
    way = STAGE.rays((across + 0.5) / width, (down + 0.5) / height)
    return Rays(STAGE.place.astype(np.float32), way.astype(np.float32))


@lru_cache(maxsize=64)
def _depth(solid: Solid) -> np.ndarray:
    """Depth of the solid in these pixels, inf where it is not seen."""
    depth = np.full(len(_raster()), np.inf, np.float32)
    near, at = _raster().meet(solid)
    depth[near] = at
    return depth


def visible(solids: Sequence[Solid]) -> list[int]:
    """Pixels of the 320 x 240 picture in which each solid is seen, counted on every second one each way."""
    depth = np.stack([_depth(solid) for solid in solids])
    nearest = np.where(np.isfinite(depth.min(0)), depth.argmin(0), -1)
    return (np.bincount(nearest[nearest >= 0], minlength=len(solids)) * _RASTER**2).tolist()


def _pick(rng: np.random.Generator, choices: Sequence[_Choice]) -> _Choice:
    return choices[int(rng.integers(len(choices)))]


def _placed(rng: np.random.Generator, shape: str, colour: str, others: Sequence[Solid]) -> Solid | None:
    """A solid at a free place, in sight and hiding none of the others; None when none was found."""
    for _ in range(_TRIES):
        x, y = (float(v) for v in rng.uniform(-REACH, REACH, 2))
        solid = Solid(shape, colour, x, y, float(rng.uniform(0, 2 * np.pi)))
        if all(apart(solid, other) for other in others) and min(visible([*others, solid])) >= VISIBLE:
            return solid
    return None


def _unused(rng: np.random.Generator, solids: Sequence[Solid], shapes: Sequence[str] = SHAPES) -> tuple[str, str]:
    """A shape and a colour that no solid of the scene has together."""
    taken = {(solid.shape, solid.colour) for solid in solids}
    free = [(shape, colour) for shape in shapes for colour in COLOURS if (shape, colour) not in taken]
    return _pick(rng, free)


# --- language -----------------------------------------------------------------------------------------------------


def _relation(rng: np.random.Generator, solid: Solid, reference: Solid, called: str, forms: Sequence[str]) -> Relation:
    across, back = offset(solid, reference)
    form = _pick(rng, forms)
    depth = ("behind" if back > 0 else "in front of") if form != "side" else ""
    side = ("right" if across > 0 else "left") if form != "depth" else ""
    return Relation(depth, side, called)


def relate(rng: np.random.Generator, solid: Solid, others: Sequence[Solid], it: Solid | None) -> list[Relation]:
    """One or two true relations of `solid` to others: the first, to "it" as a rule, gives both ways; [1 or 2]."""
    first = it if it in others and rng.random() < 0.75 else _pick(rng, others)
    assert first is not None
    relations = [_relation(rng, solid, first, "it" if first is it else first.name, ("both",))]
    rest = [other for other in others if other is not first]
    if rest and rng.random() < 0.75:
        second = _pick(rng, rest)
        called = "it" if second is it and first is not it and rng.random() < 0.5 else second.name
        relations.append(_relation(rng, solid, second, called, ("both", "depth", "side")))
    return relations


_RELATION = re.compile(
    r"(?:(?P<depth>behind|in front of) (?P<of>it|the \w+ \w+)(?: on the (?P<side>left|right)(?! of))?"
    r"|on the (?P<only>left|right) of (?P<whom>it|the \w+ \w+))"
)


def parse(said: str) -> list[Relation]:
    """Read the relations of an instruction back, in order."""
    found = []
    for match in _RELATION.finditer(said):
        of = (match["of"] or match["whom"]).removeprefix("the ")
        found.append(Relation(match["depth"] or "", match["side"] or match["only"] or "", of))
    return found


# --- sequences ----------------------------------------------------------------------------------------------------


class _Stuck(Exception):
    """No room was found; begin again."""


def sequence(seed: int, number: int, *, edits: bool = False) -> list[Turn]:
    """Sequence `number` of those that `seed` stands for; it depends on these two and `edits` alone."""
    rng = np.random.default_rng([seed, number])
    while True:
        try:
            return list(_edited(rng) if edits else _added(rng))
        except _Stuck:
            continue


def _first(rng: np.random.Generator) -> tuple[Turn, Solid]:
    shape, colour = _unused(rng, ())
    solid = Solid(shape, colour, 0.0, 0.0, float(rng.uniform(0, 2 * np.pi)))
    return Turn(f"Add a {solid.name} at the center", (solid,)), solid


def _added(rng: np.random.Generator) -> Iterator[Turn]:
    turn, it = _first(rng)
    yield turn
    for _ in range(TURNS - 1):
        turn, it = _add(rng, turn.solids, it)
        yield turn


def _add(rng: np.random.Generator, solids: tuple[Solid, ...], it: Solid | None) -> tuple[Turn, Solid]:
    solid = _placed(rng, *_unused(rng, solids), solids)
    if solid is None:
        raise _Stuck
    where = " and ".join(map(str, relate(rng, solid, solids, it)))
    return Turn(f"Add a {solid.name} {where}", (*solids, solid)), solid


def _edited(rng: np.random.Generator) -> Iterator[Turn]:
    turn, it = _first(rng)
    yield turn
    for _ in range(EDIT_TURNS - 1):
        solids = turn.solids
        act = rng.choice(["add", "move", "recolour", "remove"], p=[0.4, 0.25, 0.2, 0.15])
        if len(solids) < 2 or (act == "add" and len(solids) < LARGEST):
            turn, it = _add(rng, solids, it)
        elif act == "remove" and len(solids) > 2:
            gone = _pick(rng, solids)
            turn = Turn(f"Remove {_called(rng, gone, it)}", tuple(s for s in solids if s is not gone))
            it = None if it is gone else it
        elif act == "recolour":
            turn, it = _recolour(rng, solids, it)
        else:
            turn, it = _move(rng, solids, it)
        yield turn


def _called(rng: np.random.Generator, solid: Solid, it: Solid | None) -> str:
    return "it" if solid is it and rng.random() < 0.5 else f"the {solid.name}"


def _recolour(rng: np.random.Generator, solids: tuple[Solid, ...], it: Solid | None) -> tuple[Turn, Solid]:
    number = int(rng.integers(len(solids)))
    old = solids[number]
    _, colour = _unused(rng, solids, (old.shape,))
    new = old._replace(colour=colour)
    verb = _pick(rng, ("Make", "Paint"))
    said = f"{verb} {_called(rng, old, it)} {colour}"
    return Turn(said, (*solids[:number], new, *solids[number + 1 :])), new


def _move(rng: np.random.Generator, solids: tuple[Solid, ...], it: Solid | None) -> tuple[Turn, Solid]:
    """Move one solid to where it was not: of the relations that are told at least one was false before."""
    number = int(rng.integers(len(solids)))
    old, others = solids[number], solids[:number] + solids[number + 1 :]
    by_name = {other.name: other for other in others}
    for _ in range(_TRIES):
        new = _placed(rng, old.shape, old.colour, others)
        if new is None:
            break
        relations = relate(rng, new, others, None if it is old else it)
        whom = [it if r.of == "it" and it is not None else by_name[r.of] for r in relations]
        if not all(r.holds(old, other) for r, other in zip(relations, whom, strict=True)):
            said = f"Move {_called(rng, old, it)} {' and '.join(map(str, relations))}"
            return Turn(said, (*solids[:number], new, *solids[number + 1 :])), new
    raise _Stuck
