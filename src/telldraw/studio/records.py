"""What the store gives back: plain values, so that no one above it sees the database."""

from dataclasses import dataclass
from typing import Any

from telldraw.drawing.session import Turn


@dataclass(frozen=True)
class Drawn:
    """One turn of a drawing's tree, without its picture. Number 0 is the blank canvas."""

    number: int
    parent: int | None
    depth: int
    instruction: str
    seed: int
    name: str | None = None
    """What a person calls this turn."""
    candidates: int | None = None
    """Turns drawn as candidates of one another share this number."""
    shown: bool = True
    """False for a candidate that was not picked (yet)."""
    seconds: float = 0.0
    created: float = 0.0


@dataclass(frozen=True)
class Head:
    """A drawing without its turns."""

    id: str
    title: str
    weights: str
    checksum: str
    seed: int
    here: int
    """Number of the turn that is in front of the person."""
    undone: tuple[int, ...]
    """Turns that redo would go to, the last one first to come."""
    created: float
    changed: float
    count: int = 0
    """Number of turns, the blank canvas not counted."""


@dataclass(frozen=True)
class Drawing:
    """A drawing and its whole tree, in the order the turns were drawn."""

    head: Head
    turns: tuple[Drawn, ...]

    def path(self, number: int) -> list[Drawn]:
        """The turns from the blank canvas (not included) to this one."""
        by_number = {turn.number: turn for turn in self.turns}
        steps: list[Drawn] = []
        turn = by_number[number]
        while turn.parent is not None:
            steps.append(turn)
            turn = by_number[turn.parent]
        return steps[::-1]

    def history(self, number: int) -> list[Turn]:
        """What `Drawer.replay` needs to make the picture of this turn."""
        return [Turn(turn.instruction, turn.seed) for turn in self.path(number)]


@dataclass(frozen=True)
class NewTurn:
    """A turn that was drawn and is to be kept."""

    drawing: str
    parent: int
    instruction: str
    seed: int
    picture: bytes | None
    """PNG at the drawer's own size; None: it is drawn when somebody asks for it."""
    seconds: float = 0.0
    moves: bool = True
    """Whether the drawing goes to this turn; not so for candidates, which come together with the first one's number."""
    expects_here: int | None = None
    """Keep it only if the drawing is still at this turn: another process may have moved it."""
    key: str | None = None
    """The client's own mark of its request: asked twice, drawn once."""
    together: int = 0
    """Candidates: a number that those of one request share, any but 0."""


Row = dict[str, Any]
