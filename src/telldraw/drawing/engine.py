"""Drawing with torch: the words of a person through the same `turn` that training and evaluation call."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from telldraw import pixels
from telldraw.errors import WeightsError
from telldraw.protocols import Conversational
from telldraw.text import Vocabulary, pad
from telldraw.weights import Loaded


@dataclass(frozen=True)
class TorchEngine:
    """Loaded weights as a `session.Batched` engine. `turn` draws alone: a seed gives one picture whoever else draws."""

    loaded: Loaded
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Raise WeightsError when what was loaded cannot converse."""
        if not isinstance(self.loaded.system, Conversational):
            system = self.loaded.card.get("system", type(self.loaded.system).__name__)
            raise WeightsError(f"the weights {self.loaded.name} hold {system}, which does not draw turn by turn")

    @property
    def name(self) -> str:
        """Name of the weights."""
        return self.loaded.name

    @property
    def noise_dim(self) -> int:
        """Length of the noise of a turn."""
        return self._system.noise_dim

    @property
    def aspect(self) -> float:
        """Width / height at which the square pictures are meant to be seen, from the card."""
        return float(self.loaded.card.get("aspect", 1.0))

    @property
    def vocabulary(self) -> Vocabulary:
        """The words the weights know."""
        return self.loaded.vocabulary

    @torch.inference_mode()
    def start(self) -> Any:
        """The state before the first turn, for a batch of one."""
        return self._system.start(1)

    @torch.inference_mode()
    def turn(self, state: Any, words: list[str], noise: np.ndarray) -> Any:
        """state, words, noise float32 [noise_dim] -> the next state."""
        instruction = torch.from_numpy(self.vocabulary.encode(words)).unsqueeze(0)
        rows = torch.from_numpy(noise).unsqueeze(0)
        return self._system.turn(state, instruction.to(self.device), rows.to(self.device))

    @torch.inference_mode()
    def turns(self, states: Sequence[Any], words: Sequence[list[str]], noises: Sequence[np.ndarray]) -> list[Any]:
        """The next states of several conversations, in one pass: see `session.Batched`."""
        instructions = torch.from_numpy(pad([self.vocabulary.encode(told) for told in words]))
        rows = torch.from_numpy(np.stack(noises))
        after = self._system.turn(together(states), instructions.to(self.device), rows.to(self.device))
        return [row(after, index) for index in range(len(states))]

    def picture(self, state: Any) -> np.ndarray:
        """The canvas of a state: uint8 [H, W, 3]. Raises WeightsError when the weights give no numbers."""
        canvas = state.canvas
        if not bool(torch.isfinite(canvas).all()):
            raise WeightsError(
                f"the weights {self.name} draw no picture (not a number): are they from a run that failed?"
            )
        return pixels.to_arrays(canvas)[0]

    @property
    def _system(self) -> Conversational:
        return cast(Conversational, self.loaded.system)


def together(states: Sequence[Any]) -> Any:
    """States of one conversation each -> the state of all, a row for each; what is shorter is padded with 0."""
    first = states[0]
    if isinstance(first, Tensor):
        sizes = [max(sizes) for sizes in zip(*(state.shape[1:] for state in states), strict=True)]
        return torch.cat([_padded(state, sizes) for state in states])
    if isinstance(first, tuple):
        parts = (together(part) for part in zip(*states, strict=True))
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if is_dataclass(first) and not isinstance(first, type):
        names = [part.name for part in fields(first)]
        return replace(first, **{name: together([getattr(state, name) for state in states]) for name in names})
    return first


def row(state: Any, index: int) -> Any:
    """The state of one conversation of several, in memory of its own."""
    if isinstance(state, Tensor):
        return state[index : index + 1].clone()
    if isinstance(state, tuple):
        parts = (row(part, index) for part in state)
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    if is_dataclass(state) and not isinstance(state, type):
        return replace(state, **{part.name: row(getattr(state, part.name), index) for part in fields(state)})
    return state


def _padded(tensor: Tensor, sizes: list[int]) -> Tensor:
    missing = [size - has for size, has in zip(sizes, tensor.shape[1:], strict=True)]
    if not any(missing):
        return tensor
    return F.pad(
        tensor, [amount for more in reversed(missing) for amount in (0, more)]
    )  # F.pad begins at the last axis
