"""Pictures as values: a canvas, what it was told, and the canvas it came from. Knows no torch, no terminal, no web.

`Drawer` starts canvases, `Canvas.tell` gives the next one. `Conversation` is the one thing here that changes: a tree
of canvases and a place in it, for the terminal and the studio.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from telldraw.drawing.noise import check_seed, noise
from telldraw.errors import InstructionError, TelldrawError
from telldraw.text import Vocabulary


class Engine(Protocol):
    """What draws one turn. States are opaque values: `turn` gives a new one and leaves the old as it was."""

    @property
    def name(self) -> str:
        """Name of the weights."""
        ...

    @property
    def noise_dim(self) -> int:
        """Length of the noise of a turn."""
        ...

    @property
    def aspect(self) -> float:
        """Width / height at which the square pictures are meant to be seen."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The words the weights know."""
        ...

    def start(self) -> Any:
        """The state before the first turn."""
        ...

    def turn(self, state: Any, words: list[str], noise: np.ndarray) -> Any:
        """state, words as `Vocabulary.read` gives them, noise float32 [noise_dim] -> the next state."""
        ...

    def picture(self, state: Any) -> np.ndarray:
        """The canvas of a state: uint8 [H, W, 3], in memory of its own."""
        ...


class Batched(Engine, Protocol):
    """An engine that can draw one turn of several conversations in one pass; what the studio asks of its engine."""

    def turns(self, states: Sequence[Any], words: Sequence[list[str]], noises: Sequence[np.ndarray]) -> list[Any]:
        """`turn` for each, all at once; within 1/255 of what `turn` draws, not bit for bit: sums are rounded anew."""
        ...


class Turn(NamedTuple):
    """What one turn is made of, besides the turns before it."""

    instruction: str
    seed: int


@dataclass(frozen=True, eq=False, repr=False)
class Canvas:
    """A picture and how it came about. Nothing changes it: keep any canvas, and tell it more as often as you like."""

    engine: Engine
    state: Any
    seed: int
    """Seed of the turn that drew this canvas; turns told from here use it too."""
    parent: "Canvas | None" = None
    """The canvas before the turn, or None for the blank one."""
    instruction: str = ""
    words: tuple[str, ...] = ()
    """The instruction as the drawer read it."""
    depth: int = 0
    """Number of turns since the blank canvas."""

    def tell(self, instruction: str, seed: int | None = None) -> "Canvas":
        """The canvas after one more instruction, drawn with this canvas's seed or with another from here on.

        Raises InstructionError when nothing in the instruction can be drawn.
        """
        seed = self.seed if seed is None else check_seed(seed)
        words = read(self.engine.vocabulary, instruction)
        depth = self.depth + 1
        state = self.engine.turn(self.state, words, noise(seed, depth, self.engine.noise_dim))
        return Canvas(self.engine, state, seed, self, instruction, tuple(words), depth)

    def again(self, seed: int | None = None) -> "Canvas":
        """The last instruction drawn anew, with another seed (the next one if none is given)."""
        if self.parent is None:
            raise TelldrawError("there is nothing to draw again: this canvas is blank")
        return self.parent.tell(self.instruction, self.seed + 1 if seed is None else seed)

    @property
    def image(self) -> Image.Image:
        """The picture, RGB, at the size it was drawn; a new copy at every call."""
        return Image.fromarray(self.engine.picture(self.state))

    @property
    def path(self) -> "tuple[Canvas, ...]":
        """The canvases from the blank one to this one."""
        canvases: list[Canvas] = []
        canvas: Canvas | None = self
        while canvas is not None:
            canvases.append(canvas)
            canvas = canvas.parent
        return tuple(reversed(canvases))

    @property
    def history(self) -> tuple[Turn, ...]:
        """Every turn up to this canvas; `Drawer.replay` makes the same picture of it."""
        return tuple(Turn(canvas.instruction, canvas.seed) for canvas in self.path[1:])

    @property
    def unknown(self) -> dict[str, list[str]]:
        """The words of the instruction that the drawer does not know, each with the nearest it does."""
        return unknown(self.engine.vocabulary, self.words)

    def __repr__(self) -> str:
        """The last instruction, for a prompt; never the whole chain of parents."""
        return (
            f"<Canvas of {self.engine.name}, turn {self.depth}: {shown(self.instruction) or 'blank'}, seed {self.seed}>"
        )


@dataclass(frozen=True, repr=False)
class Drawer:
    """Weights ready to draw: the beginning of any number of conversations."""

    engine: Engine

    @property
    def name(self) -> str:
        """Name of the weights."""
        return self.engine.name

    def start(self, seed: int = 0) -> Canvas:
        """The blank canvas of a new conversation."""
        return Canvas(self.engine, self.engine.start(), check_seed(seed))

    def replay(self, history: Iterable[Turn | tuple[str, int]], seed: int = 0) -> Canvas:
        """The canvas that a `Canvas.history` led to; `seed` matters only if the history is empty."""
        canvas = self.start(seed)
        for instruction, turn_seed in history:
            canvas = canvas.tell(instruction, turn_seed)
        return canvas

    def __repr__(self) -> str:
        """The name, without the network behind it."""
        return f"<Drawer {self.name}>"


class Conversation:
    """A tree of canvases, numbered in the order they were drawn (0 is the one it starts from), and a place in it."""

    def __init__(self, canvas: Canvas) -> None:
        """Begin at `canvas`; the turns that led to it can be undone."""
        self.turns: list[Canvas] = list(canvas.path)
        self.here = len(self.turns) - 1
        self.names: dict[str, int] = {}
        self._undone: list[int] = []

    @property
    def canvas(self) -> Canvas:
        """The canvas in front of us."""
        return self.turns[self.here]

    def tell(self, instruction: str) -> Canvas:
        """Draw one more turn here. A turn that was drawn here before is found again, not drawn twice."""
        return self._arrive(self._child(self.canvas, instruction, self.canvas.seed))

    def again(self, seed: int | None = None) -> Canvas:
        """Draw the last instruction anew beside this turn, by default with the next seed not tried there yet."""
        canvas = self.canvas
        if canvas.parent is None:
            raise TelldrawError("there is nothing to draw again: the canvas is blank")
        if seed is None:
            same = [turn.seed for turn in self.children(canvas.parent) if turn.instruction == canvas.instruction]
            seed = max(same) + 1
        return self._arrive(self._child(canvas.parent, canvas.instruction, check_seed(seed)))

    def undo(self, steps: int = 1) -> Canvas:
        """Go back by `steps` turns. Nothing is forgotten."""
        if steps > self.canvas.depth:
            raise TelldrawError(
                "there is nothing to undo" if steps == 1 else f"there is only {self.canvas.depth} to undo"
            )
        for _ in range(steps):
            self._undone.append(self.here)
            self.here = self.number(self.canvas.parent)
        return self.canvas

    def redo(self, steps: int = 1) -> Canvas:
        """Take back `steps` undos; telling or going elsewhere ends the chance."""
        if steps > len(self._undone):
            raise TelldrawError(
                "there is nothing to redo" if steps == 1 else f"there is only {len(self._undone)} to redo"
            )
        for _ in range(steps):
            self.here = self._undone.pop()
        return self.canvas

    def branch(self, name: str | None = None) -> str:
        """Name this turn, so that `goto` finds it; branches themselves grow wherever a turn is told twice."""
        name = name or next(free for n in range(1, len(self.names) + 2) if (free := f"branch-{n}") not in self.names)
        if name.isdecimal():
            raise TelldrawError(f"a branch needs a name that is not a number, not {name!r}")
        if self.names.get(name, self.here) != self.here:
            raise TelldrawError(f"the name {name!r} already stands for turn {self.names[name]}; choose another")
        self.names[name] = self.here
        return name

    def goto(self, place: int | str) -> Canvas:
        """Go to the turn of this number, or of this branch name."""
        number = self.names.get(place) if isinstance(place, str) else place
        if number is None or not 0 <= number < len(self.turns):
            names = f" or one of {', '.join(sorted(self.names))}" if self.names else ""
            raise TelldrawError(f"there is no turn {place!r}; give a number from 0 to {len(self.turns) - 1}{names}")
        return self._arrive(self.turns[number])

    def number(self, canvas: Canvas | None) -> int:
        """The number of a canvas of this conversation."""
        return next(number for number, turn in enumerate(self.turns) if turn is canvas)

    def children(self, parent: Canvas | None) -> list[Canvas]:
        """The turns told from `parent`, oldest first."""
        return [turn for turn in self.turns if turn.parent is parent]

    def _child(self, parent: Canvas, instruction: str, seed: int) -> Canvas:
        for turn in self.children(parent):
            if (turn.instruction, turn.seed) == (instruction, seed):
                return turn
        self.turns.append(parent.tell(instruction, seed))
        return self.turns[-1]

    def _arrive(self, canvas: Canvas) -> Canvas:
        self._undone.clear()
        self.here = self.number(canvas)
        return canvas


def read(vocabulary: Vocabulary, instruction: str) -> list[str]:
    """The words of an instruction, checked. Raises InstructionError with the reason and the remedy."""
    for character in instruction:
        # Cc: they cannot be drawn, and printed again in a terminal they would steer it. Cs: bytes that were not UTF-8.
        if unicodedata.category(character) in ("Cc", "Cs") and not character.isspace():
            raise InstructionError(
                f"the instruction holds U+{ord(character):04X}, which is no character of a text; tell it in plain words"
            )
    return vocabulary.read(instruction)


def unknown(vocabulary: Vocabulary, words: Iterable[str]) -> dict[str, list[str]]:
    """The unknown words among `words`, each with the known words nearest to it."""
    return {word: vocabulary.nearest(word) for word in vocabulary.unknown(list(words))}


def unknown_sentence(words: dict[str, list[str]]) -> str:
    """What `unknown` found, as a person wants to read it; empty when every word is known."""
    parts = [f"{shown(word, 40)!r}" + (f" (near: {', '.join(near)})" if near else "") for word, near in words.items()]
    more = f" and {len(parts) - 6} more" if len(parts) > 6 else ""
    return f"drawn without words it does not know: {', '.join(parts[:6])}{more}" if parts else ""


def shown(text: str, length: int = 60) -> str:
    """`text` on one line of at most `length` characters, safe to print."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= length else line[: length - 3] + "..."
