"""Drawing with torch: the words of a person through the same `turn` that training and evaluation call."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from telldraw import pixels
from telldraw.errors import WeightsError
from telldraw.protocols import Conversational
from telldraw.text import Vocabulary
from telldraw.weights import Loaded


@dataclass(frozen=True)
class TorchEngine:
    """Loaded weights as a `session.Engine`. One picture at a time, so a seed gives one picture whoever else draws."""

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
