"""What the parts of telldraw expect of each other: shapes of behaviour, nothing to inherit.

A system module offers `Config` (a frozen dataclass of plain values), `PRESETS` (named configs), `build(config, facts)`
and `System`; and `RECIPES`, where a preset is trained otherwise than usual. What else a system can do is said by the
further protocols here and by its row in `systems.SYSTEMS`.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor
from torch.optim import Optimizer


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained unless flags say otherwise."""

    batch_size: int = 16
    """Examples in a batch."""
    examples: int = 400_000
    """How many to see in all."""
    decay: float = 0.999
    """Of the moving average of the weights, per step; 0: the weights themselves."""
    sheet_every: int = 20_000
    """Examples between two sample sheets."""
    takes: str = ""
    """How long that takes, and on what."""


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

    def momentum(self, name: str, value: float) -> None:
        """Make the momentum of the optimizer `name`, an SGD, this one."""
        ...

    def forget(self, name: str) -> None:
        """Let the optimizer `name` begin anew: no mean gradients, no counted steps; its step sizes stay."""
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


@runtime_checkable
class Generative(Protocol):
    """A system that makes a picture at once, from noise and, where it takes one, a label."""

    noise_dim: int
    label_dim: int
    """Number of classes; 0: it takes no label."""

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [N, noise_dim] ~ N(0, 1), label [N, label_dim], 1 for what to show -> [N, C, H, W] in [-1, 1].

        All that is random is in `noise`: the same arguments give the same pictures.
        """
        ...


@runtime_checkable
class Layered(Protocol):
    """A system that makes of noise a code for each of its layers first: coarse ones, then fine ones."""

    layers: int
    """How many layers, L."""
    style_dim: int
    """Numbers in the code of a layer, C."""

    @property
    def mean(self) -> Tensor:
        """[L, C]: the mean code."""
        ...

    def map(self, noise: Tensor) -> Tensor:
        """noise [N, noise_dim] ~ N(0, 1) -> codes w [N, L, C]."""
        ...

    def synthesise(self, w: Tensor) -> Tensor:
        """Codes w [N, L, C], of one or of several noises -> [N, 3, H, W] in [-1, 1]; nothing in it is random."""
        ...


@runtime_checkable
class Autoencoder(Protocol):
    """A system that takes pictures apart and puts them together again."""

    def encode(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> code [N, ...]."""
        ...

    def decode(self, code: Tensor) -> Tensor:
        """Make of a code [N, ...] pictures [N, C, H, W] in [-1, 1]."""
        ...


@runtime_checkable
class Classifier(Protocol):
    """A system that says to which class a picture belongs."""

    def classify(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> logits [N, K]."""
        ...


@runtime_checkable
class Density(Protocol):
    """A system that says how likely a picture is."""

    def log_likelihood(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> [N] nats, exact or a lower bound: the system says which."""
        ...


@runtime_checkable
class Latent(Protocol):
    """An autoencoder whose code is a list of numbers, each N(0, 1) before a picture is seen; so they can be set."""

    latent_dim: int
    """How many numbers: the code is [N, latent_dim]."""

    def encode(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> code [N, latent_dim]."""
        ...

    def decode(self, code: Tensor) -> Tensor:
        """Make of a code [N, latent_dim] pictures [N, C, H, W] in [-1, 1]."""
        ...


@runtime_checkable
class ImportanceWeighted(Protocol):
    """A system with an encoder q(z | x) to draw codes from: its bound of log p(x) gets tighter, the more are drawn."""

    latent_dim: int

    def log_weights(self, images: Tensor, noise: Tensor) -> Tensor:
        """images [N, C, H, W], noise [K, N, latent_dim] ~ N(0, 1) -> [K, N], log p(x, z) / q(z | x) in nats."""
        ...


@runtime_checkable
class Coding(Protocol):
    """A system that turns pictures into maps of discrete codes, one for each of its levels, from fine to coarse."""

    def code_maps(self, images: Tensor) -> list[Tensor]:
        """images [N, C, H, W] in [-1, 1] -> for each level codes [N, h, w] int64, 0 to `config.codes` - 1."""
        ...

    def code_nats(self, images: Tensor, label: Tensor | None = None) -> list[Tensor]:
        """-log p(codes of the pictures | coarser codes, label [N, K]) for each level, each [N] nats: exact."""
        ...


@runtime_checkable
class Tagger(Protocol):
    """A system that finds words for a picture by drawing word vectors: the words nearest to them are meant."""

    noise_dim: int
    vectors: Tensor
    """[K, E]: of the words it knows."""

    def tag(self, feature: Tensor, noise: Tensor) -> Tensor:
        """Features [N, D] of pictures, noise [N, noise_dim] ~ N(0, 1) -> word vectors [N, E].

        All that is random is in `noise`: the same arguments give the same words.
        """
        ...


@runtime_checkable
class TextToImage(Protocol):
    """A system that draws what a text says, from the vector that a text encoder makes of it."""

    noise_dim: int
    text_dim: int
    reader: Any
    """Who makes these vectors of captions (`commands/reading.py`); set from outside, None until then."""

    def depict(self, noise: Tensor, text: Tensor) -> Tensor:
        """noise [N, noise_dim] ~ N(0, 1), text [N, text_dim] -> [N, C, H, W] in [-1, 1].

        All that is random is in `noise`: the same arguments give the same pictures.
        """
        ...


@runtime_checkable
class StyleEncoder(Protocol):
    """A system that reads from a picture the noise with which it would draw one in the same style."""

    noise_dim: int

    def style(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> noise [N, noise_dim]."""
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """A system that turns a caption into a vector, for others to draw from."""

    text_dim: int

    def embed(self, characters: Tensor, words: Tensor) -> Tensor:
        """Captions, as codes of characters [N, 201] and word numbers [N, L], int64, 0 = nothing -> [N, text_dim]."""
        ...


@runtime_checkable
class Perceiving(Protocol):
    """A system that compares pictures in the features of a network that is handed in."""

    @property
    def perceives(self) -> bool:
        """Whether it does so with its settings, and so cannot be trained without one."""
        ...

    def perceive(self, perceptual: Any) -> None:
        """Take what has `distance(x, y) -> [N]` of pictures [N, C, H, W]; no module, so no part of the weights."""
        ...


@runtime_checkable
class Guided(Protocol):
    """A generator of layered codes that are also read from pictures, sketches, maps of regions and texts."""

    ready: Tensor
    """[4] 0 or 1: whether codes are read yet from an image, a sketch, regions, a text."""

    def code_of(self, kind: str, given: Tensor) -> Tensor:
        """What is given -> code [N, L, C].

        kind, and given: "image" [N, 3, H, W] in [-1, 1]; "sketch" [N, 1, H, W] in [-1, 1]; "regions" [N, H, W] int64
        numbers; "text" [N, T] int64 word numbers, 0 = padding. Raises WeightsError for one that was not trained yet.
        """
        ...

    def optimise(self, image: Tensor, start: Tensor, **how: Any) -> Tensor:
        """Picture [N, 3, H, W] and a first code [N, L, C] -> the code with which the picture is best drawn."""
        ...

    def unlike(self, images: Tensor) -> Tensor:
        """How many standard deviations worse than training pictures these [N, 3, H, W] are found again, [N]."""
        ...
