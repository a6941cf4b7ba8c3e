"""What the parts of telldraw expect of each other: shapes of behaviour, nothing to inherit.

A system module offers `Config` (a frozen dataclass of plain values), `PRESETS` (named configs), `build(config, facts)`
and `System`. What else a system can do is said by the further protocols here and by its row in `systems.SYSTEMS`.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor
from torch.optim import Optimizer


class Update(Protocol):
    """All that a system sees of training: how a loss becomes a change of weights."""

    step: int
    """Number of batches trained on before this one."""

    def __call__(self, name: str, loss: Tensor) -> None:
        """Move the weights of the optimizer `name`, and no others, down the gradient of `loss`."""
        ...

    def backward(self, loss: Tensor, *names: str, retain_graph: bool = False) -> None:
        """Add the gradient of `loss` to the named weights only."""
        ...

    def apply(self, *names: str, clip_norm: float | None = None) -> None:
        """Clip the gradients' joint L2 norm, step and clear the named optimizers."""
        ...

    def rate(self, name: str, factor: float) -> None:
        """Make the step sizes of the optimizer `name` those it began with, times `factor`."""
        ...

    def record(self, **values: Tensor | float) -> None:
        """Note figures for the log; they move nothing."""
        ...


@runtime_checkable
class System(Protocol):
    """Anything that can be trained. Every system is also a torch.nn.Module."""

    config: Any

    def optimizers(self) -> dict[str, Optimizer]:
        """One optimizer per group of weights that moves together."""
        ...

    def training_step(self, batch: Any, update: Update) -> None:
        """The paper's algorithm for one batch."""
        ...


@runtime_checkable
class Normalised(Protocol):
    """A system whose drawing uses running statistics (batch norm), which averaged weights need measured anew."""

    def measure(self, batch: Any) -> None:
        """A forward pass in training mode, for the statistics alone."""
        ...


class State(Protocol):
    """What a conversation carries from turn to turn: a value, never changed in place. Opaque but for the canvas."""

    @property
    def canvas(self) -> Tensor:
        """[B, 3, H, W] in [-1, 1]."""
        ...


@runtime_checkable
class Conversational(Protocol):
    """A system that draws turn by turn. Training, evaluation, terminal and studio call this same `turn`."""

    noise_dim: int

    def start(self, batch_size: int = 1) -> Any:
        """The state before the first turn."""
        ...

    def turn(self, state: Any, instruction: Tensor, noise: Tensor) -> Any:
        """state, instruction [B, L] int64 word numbers, 0 = padding, noise [B, noise_dim] ~ N(0, 1) -> next state."""
        ...


class Detected(NamedTuple):
    """What a detector makes of N pictures; C classes, K coordinates."""

    probability: Tensor  # [N, C] that a class is in the picture
    position: Tensor  # [N, C, K] x / width, y / height and, where K = 3, depth / 2 of each class, there or not


@runtime_checkable
class Detector(Protocol):
    """A system that names and locates the objects of a picture."""

    def detect(self, images: Tensor) -> Detected:
        """images [N, 3, H, W] in [-1, 1] -> what is in each, and where."""
        ...
