"""What goes over HTTP, as OpenAPI describes it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from telldraw.drawing.noise import LARGEST_SEED
from telldraw.studio.records import Drawing, Drawn, Head
from telldraw.studio.store import LONGEST_NAME, LONGEST_TITLE

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED, description="the same seed and words give the same picture")]
Key = Annotated[str, Field(max_length=100, description="your mark of this request: sent twice, it is drawn once")]
Number = Annotated[int, Field(ge=0, description="number of a turn; 0 is the blank canvas")]


class Asked(BaseModel):
    """A request: what it does not know is an error, so that a misspelt name is not a silent default."""

    model_config = ConfigDict(extra="forbid")


class NewDrawing(Asked):
    """A drawing to begin."""

    weights: str | None = Field(None, max_length=200, description="who draws; the studio's first if not given")
    seed: Seed = 0
    title: str = Field("", max_length=LONGEST_TITLE)


class Title(Asked):
    """Another title."""

    title: str = Field(max_length=LONGEST_TITLE)


class Tell(Asked):
    """An instruction."""

    instruction: str
    parent: Number | None = Field(None, description="the turn it is told to; the one in front of you if not given")
    seed: Seed | None = Field(None, description="the turn before has one already; another holds from here on")
    key: Key | None = None


class Candidates(Asked):
    """An instruction to be drawn several times, to pick one."""

    instruction: str
    count: int = Field(4, ge=2, le=64)
    parent: Number | None = None
    seed: Seed | None = Field(None, description="seed of the first; by default one that was not tried here")
    key: Key | None = None


class Again(Asked):
    """A turn to be drawn anew."""

    turn: Number | None = Field(None, description="the turn; the one in front of you if not given")
    seed: Seed | None = Field(None, description="by default the next one not tried here")
    key: Key | None = None


class Steps(Asked):
    """How far."""

    steps: int = Field(1, ge=1, le=10_000)


class Place(Asked):
    """Where to."""

    turn: Number


class Name(Asked):
    """What a turn is called from now on; nothing takes its name away."""

    name: str | None = Field(None, max_length=LONGEST_NAME)


class Told(Asked):
    """Words to be read but not drawn."""

    instruction: str


class TurnOut(BaseModel):
    """One turn."""

    number: int
    parent: int | None
    depth: int
    instruction: str
    seed: int
    name: str | None
    candidates: int | None = Field(description="turns drawn as candidates of one another share this number")
    shown: bool = Field(description="false for a candidate that was not picked")
    seconds: float
    created: float
    unknown: dict[str, list[str]] = Field(description="words the drawer did not know, each with the nearest it does")
    picture: str = Field(description="address of its PNG")


class HeadOut(BaseModel):
    """A drawing without its turns."""

    id: str
    title: str
    weights: str
    seed: int
    here: int = Field(description="the turn in front of you")
    undone: list[int] = Field(description="where redo goes, last one first")
    created: float
    changed: float
    count: int
    picture: str


class DrawingOut(HeadOut):
    """A drawing and its tree."""

    turns: list[TurnOut]
    stale: str = Field(description="why this drawing cannot be told more here; empty if it can")


class Drew(BaseModel):
    """What was drawn, and where the drawing is now."""

    turns: list[TurnOut]
    here: int
    undone: list[int]
    new: bool = Field(description="false when it had been drawn before, and was found again")


class Mark(BaseModel):
    """A word that the drawer does not know."""

    start: int
    end: int
    word: str
    near: list[str]


class Reading(BaseModel):
    """How an instruction is understood."""

    unknown: list[Mark]
    problem: str = Field(description="why it cannot be drawn at all; empty if it can")


def head_out(head: Head) -> dict[str, Any]:
    """A `Head` as it goes out."""
    values = {name: getattr(head, name) for name in ("id", "title", "weights", "seed", "here", "created", "changed")}
    return values | {
        "undone": list(head.undone),
        "count": head.count,
        "picture": f"/api/sessions/{head.id}/turns/{head.here}.png",
    }


def turn_out(drawing: str, turn: Drawn, unknown: dict[str, list[str]]) -> dict[str, Any]:
    """A `Drawn` as it goes out."""
    values = {name: getattr(turn, name) for name in Drawn.__dataclass_fields__}
    return values | {"unknown": unknown, "picture": f"/api/sessions/{drawing}/turns/{turn.number}.png"}


def exported(drawing: Drawing) -> dict[str, Any]:
    """A drawing as a JSON document that imports again: all instructions and seeds."""
    fields = ("number", "parent", "instruction", "seed", "name", "candidates", "shown")
    turns = [{name: getattr(turn, name) for name in fields} for turn in drawing.turns if turn.number]
    head = drawing.head
    return {
        "telldraw": "drawing",
        "format": 1,
        "title": head.title,
        "weights": head.weights,
        "checksum": head.checksum,
        "seed": head.seed,
        "here": head.here,
        "turns": turns,
    }
