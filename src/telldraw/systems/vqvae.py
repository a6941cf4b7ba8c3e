"""A picture as maps of codes, and a prior from which new maps are drawn: VQ-VAE-2.

Razavi, van den Oord and Vinyals, Generating Diverse High-Fidelity Images with VQ-VAE-2, NeurIPS 2019 (arXiv:1906.00446), on
van den Oord et al. 2017 (VQ-VAE, arXiv:1711.00937) and van den Oord et al. 2016 (gated PixelCNN, `blocks/pixelcnn.py`).

Stage 1, `codes` (their Algorithm 1). Levels from fine to coarse; the coarse one, `top`, is quantised first and tells the
finer ones, so that they hold what it leaves out:

    e_top <- Quantise(E_top(x))      e_bottom <- Quantise(E_bottom(x, e_top))      x^ <- D(e_top, e_bottom)
    L = ||x - x^||^2 + beta ||E(x) - sg[e]||^2        the codebooks follow by moving means (`blocks/quantization.py`)

Stage 2, `prior` (their Algorithm 2): the autoencoder stands still; gated PixelCNNs learn p(top | y), with attention over
positions, and p(bottom | top, y), told by the coarser codes through a few convolutions. A run of stage 2 begins with one
of stage 1: `telldraw train vqvae --preset scenes-64-prior --start-from runs/vqvae-scenes-64`. Stage `both` trains the two
side by side, for what is so small that one command should do. Weights of stage `codes` encode and decode, and can do no
more: `lacks` says so.

What is not in the paper, or not as there:

1.  What a coarse level tells a finer one is the same map in encoder and decoder, and has been enlarged already; the paper
    has two decoders of e_top for that.
2.  Entries of a codebook that fall out of use are begun anew.
3.  The label may be several classes at once (what is on the scene). In training the prior is not told it now and then
    (`untold`), so that it also knows pictures of no label, which `log_likelihood` needs.
4.  Both priors are gated PixelCNNs of a few layers; the paper's top one is as deep as PixelSNAIL, with dropout.
5.  A distribution of pixels around x^, a Laplace one with one scale for all pixels: only `log_likelihood` uses it.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.pixelcnn import PixelCNN
from telldraw.blocks.quantization import Quantised, Quantiser
from telldraw.errors import TrainingError, WeightsError
from telldraw.objectives.codes import (
    bits_per_dimension,
    code_nats,
    commitment,
    discretised_laplace_nats,
    perplexity,
)
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config:
    """Sizes, stage and step sizes."""

    stage: Literal["codes", "prior", "both"] = "codes"
    """What is trained: the autoencoder, the prior over the codes of one that is given, or both side by side."""
    resolution: int = 64
    """Side of the square pictures, in pixels."""
    picture_channels: int = 3
    """3 colour, 1 grey; taken from the data set."""
    strides: tuple[int, ...] = (4, 2)
    """How much smaller each level's map is than the one before, 2 or 4, from fine to coarse; the paper has 4, 2 at 256."""
    codes: int = 256
    """K, entries of each codebook; the paper has 512."""
    code_dim: int = 32
    """D, numbers of an entry; the paper has 64."""
    width: int = 64
    """Channels of the autoencoder; the paper has 128."""
    residual_width: int = 32
    """Channels inside a residual block; the paper has 64."""
    residual_blocks: int = 2
    """Residual blocks of each part; the paper has 2."""
    beta: float = 0.25
    """Weight of the commitment."""
    codebook_decay: float = 0.99
    """gamma, of the codebooks' moving means, per step."""
    dead: float = 0.03
    """An entry used less than so many times as often as on average is begun anew."""
    conditional: bool = True
    """prior: whether the label is told, where the data has one."""
    num_classes: int = 0
    """Classes a label has; taken from the data set."""
    untold: float = 0.1
    """prior: share of the training pictures whose label is not told."""
    prior_width: int = 48
    """prior: features of each stack of the PixelCNNs; the paper has 512."""
    prior_layers: tuple[int, ...] = (5, 8)
    """prior: gated layers after the first one, from the fine level to the coarse; the paper has 20, 20."""
    attention_every: int = 4
    """prior: at the coarsest level, causal self-attention after every so many layers; 0: none."""
    rate: float = 1e-3
    """Adam step size of the autoencoder; the paper has 3e-4 at batches of 128."""
    prior_rate: float = 1e-3
    """Adam step size of the prior at first."""
    anneal: int = 5000
    """Steps over which the step sizes of what is trained fall to a twentieth, in a straight line."""

    def __post_init__(self) -> None:
        if not self.strides or any(stride not in (2, 4) for stride in self.strides):
            raise TrainingError(f"--config.strides {self.strides}: one number for each level is needed, each 2 or 4")
        if len(self.prior_layers) != len(self.strides):
            raise TrainingError(
                f"--config.prior-layers {self.prior_layers}: {len(self.strides)} numbers are needed, one for each of "
                "--config.strides"
            )
        whole = 1
        for stride in self.strides:
            whole *= stride
        if self.resolution % whole:
            raise TrainingError(f"--config.resolution {self.resolution}: a multiple of {whole} is needed for {self.strides}")
        if not 0 <= self.untold < 1:
            raise TrainingError(f"--config.untold {self.untold}: from 0 to less than 1 is needed")

    def sides(self) -> list[int]:
        """Side of each level's square map of codes, from fine to coarse."""
        sides, side = [], self.resolution
        for stride in self.strides:
            side //= stride
            sides.append(side)
        return sides


_SCENES = Config()
_SCENES_128 = Config(
    resolution=128, codes=512, code_dim=64, width=128, residual_width=64, rate=3e-4, prior_width=128, prior_layers=(12, 16)
)
PRESETS = {
    # Abstract Scenes: 16x16 and 8x8 codes, for two cores.
    "scenes-64": _SCENES,
    "scenes-64-prior": replace(_SCENES, stage="prior"),
    # 32x32 and 16x16 codes, the paper's autoencoder; for a GPU.
    "scenes-128": replace(_SCENES_128, anneal=50_000),
    "scenes-128-prior": replace(_SCENES_128, stage="prior", anneal=100_000, prior_rate=3e-4),
    # Digits in one command: 14x14 and 7x7 codes.
    "mnist": Config(
        stage="both",
        resolution=28,
        picture_channels=1,
        strides=(2, 2),
        codes=64,
        code_dim=16,
        width=32,
        residual_width=16,
        prior_width=32,
        prior_layers=(4, 6),
    ),
    "tiny": Config(
        stage="both",
        resolution=16,
        codes=8,
        code_dim=4,
        width=8,
        residual_width=4,
        residual_blocks=1,
        prior_width=8,
        prior_layers=(1, 2),
        attention_every=2,
        anneal=100,
    ),
}
RECIPES = {
    "scenes-64": Recipe(batch_size=16, examples=80_000, decay=0.99, sheet_every=20_000, takes="20 minutes of one core"),
    "scenes-64-prior": Recipe(
        batch_size=16, examples=80_000, decay=0.998, sheet_every=20_000, takes="25 minutes of one core"
    ),
    "scenes-128": Recipe(batch_size=64, examples=3_200_000, sheet_every=160_000, takes="not trained yet"),
    "scenes-128-prior": Recipe(batch_size=64, examples=6_400_000, sheet_every=320_000, takes="not trained yet"),
    "mnist": Recipe(batch_size=32, examples=160_000, decay=0.99, sheet_every=40_000, takes="not trained yet"),
    "tiny": Recipe(batch_size=8, examples=64, decay=0.9, sheet_every=64, takes="a second"),
}


class Residual(nn.Module):
    """ReLU, 3x3, ReLU, 1x1, added to the input: the paper's block."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, inner, 3, padding=1), nn.ReLU(), nn.Conv2d(inner, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return x + self.layers(x)


def _residuals(config: Config, width: int) -> list[nn.Module]:
    return [Residual(width, config.residual_width) for _ in range(config.residual_blocks)]


def _smaller(config: Config, inputs: int, stride: int) -> nn.Sequential:
    """An encoder's part: [N, inputs, H, W] -> [N, width, H / stride, W / stride]."""
    width = config.width
    layers: list[nn.Module] = [nn.Conv2d(inputs, width // 2, 4, stride=2, padding=1), nn.ReLU()]
    if stride == 4:
        layers += [nn.Conv2d(width // 2, width, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
    else:
        layers += [nn.Conv2d(width // 2, width, 3, padding=1)]
    return nn.Sequential(*layers, *_residuals(config, width), nn.ReLU())


def _larger(config: Config, inputs: int, outputs: int, stride: int, width: int) -> nn.Sequential:
    """A decoder's part: [N, inputs, H, W] -> [N, outputs, H * stride, W * stride]."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1), *_residuals(config, width), nn.ReLU()]
    inner = width
    if stride == 4:
        layers += [nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1), nn.ReLU()]
        inner = width // 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(inner, outputs, 4, stride=2, padding=1))


class Encoded(NamedTuple):
    """What an autoencoder makes of pictures, from fine to coarse."""

    z: list[Tensor]  # [N, D, H, W] before quantisation
    quantised: list[Quantised]
    context: list[Tensor]  # [N, D or 2 D, H, W] a level's entries, and what the coarser ones tell it


class Codes(nn.Module):
    """The hierarchical autoencoder: Algorithm 1 for any number of levels."""

    scale: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        dim, width, strides = config.code_dim, config.width, config.strides
        inputs = [config.picture_channels] + [width] * (len(strides) - 1)
        told = [dim] * (len(strides) - 1) + [0]
        self.smaller = nn.ModuleList(_smaller(config, each, stride) for each, stride in zip(inputs, strides, strict=True))
        self.project = nn.ModuleList(nn.Conv2d(width + each, dim, 1) for each in told)
        self.quantisers = nn.ModuleList(
            Quantiser(config.codes, dim, config.codebook_decay, config.dead) for _ in strides
        )
        outputs = [config.picture_channels] + [dim] * (len(strides) - 1)
        self.larger = nn.ModuleList(
            _larger(config, dim + each, out, stride, width)
            for each, out, stride in zip(told, outputs, strides, strict=True)
        )
        self.register_buffer("scale", torch.tensor(0.1))  # of the pixels around x^: their mean absolute error
