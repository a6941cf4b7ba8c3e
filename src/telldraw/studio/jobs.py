"""What is asked of the worker, and what it answers."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from telldraw.studio.records import Drawn


@dataclass(frozen=True)
class Answer:
    """Turns that were drawn, or found where they had been drawn before."""

    turns: tuple[Drawn, ...]
    new: bool
    seconds: float = 0.0
    """Time from asking to answering."""


@dataclass
class Job:
    """One request of one drawing. Jobs of a drawing are done in the order they came."""

    drawing: str
    weights: str
    kind: Literal["tell", "again", "candidates", "fill", "move"]
    instruction: str = ""
    turn: int | None = None
    """tell, candidates: the turn it is told to; again: the turn to draw anew. None: the one in front of the person."""
    seed: int | None = None
    count: int = 1
    key: str | None = None
    action: Callable[[], Any] | None = None
    """move: what to do, in order with the turns."""
    said: Callable[[str, dict[str, Any]], None] = lambda event, content: None
    """Hears of progress, on the worker's thread."""
    asked: float = 0.0
    future: Future = field(default_factory=Future)
    done: int = 0
    """fill: pictures drawn so far."""
    tries: int = 0


class FullError(Exception):
    """The queue is full; `retry` is the number of seconds after which asking again is worth while."""

    def __init__(self, retry: int) -> None:
        super().__init__(f"too many turns are waiting; ask again in {retry} s")
        self.retry = retry


class TooManyError(FullError):
    """One drawing has too many turns waiting."""
