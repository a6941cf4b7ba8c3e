"""The generator of StyleGAN: a mapping from z to w, and a synthesis that w tells its style, layer by layer.

Karras, Laine & Aila, CVPR 2019 (arXiv:1812.04948), Fig. 1 b; version 2: Karras et al., CVPR 2020 (arXiv:1912.04958),
Fig. 2 d and 7 b. N pictures, L layers, C = `style_dim`:

    z [N, Z] -> w [N, L, C]          Mapping: z normalised, then fully connected layers
    w [N, L, C] -> x [N, 3, R, R]    Synthesis: a learnt 4x4 map, two layers a side, each told its own w

In version 2 the last w is that of the last colours alone: there is one layer less, and the colours of a side share
their w with the layer after them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks.growing import enlarge, parts
from telldraw.blocks.style_layers import EPSILON, ROOT, SLOPE, Colours, Noise, ScaledLinear, StyledLayer
from telldraw.blocks.style_modulated import ModulatedColours, ModulatedLayer, doubled
from telldraw.errors import TrainingError

TRUNCATED = 8
"""How many layers the truncation trick is for: up to 32 pixels."""
_MEAN_DECAY = 0.995


@dataclass(frozen=True)
class Sizes:
    """What decides the shapes of a generator's weights."""

    version: Literal["1", "2"] = "1"
    """1: AdaIN, grown side by side (Karras et al. 2019). 2: modulated weights (Karras et al. 2020)."""
    resolution: int = 64
    """Side of the square pictures, in pixels: a power of two from 8 to 1024 (paper: 1024)."""
    channels: int = 3
    """1 grey, 3 colour; taken from the data set."""
    noise_dim: int = 128
    """Numbers in z (paper: 512)."""
    style_dim: int = 128
    """Numbers in w, and in each layer of the mapping (paper: 512)."""
    mapping_layers: int = 8
    """Fully connected layers from z to w (paper: 8)."""
    mapping_rate: float = 0.01
    """Step size of the mapping, relative to that of other layers (paper: 0.01)."""
    width: int = 2048
    """Channels of a map are this over its side, and at most `widest` (paper: 16384)."""
    widest: int = 128
    """Channels of the smallest maps (paper: 512)."""
    repeat: bool = True
    """One w for all layers; if not, the mapping gives each layer its own."""
    final_tanh: bool = False
    """Whether pixels pass tanh at the end (paper: they do not)."""

    def __post_init__(self) -> None:
        """Raise TrainingError for sizes no network can have."""
        sides = [8 << n for n in range(8)]
        if self.resolution not in sides:
            raise TrainingError(f"--config.resolution {self.resolution}: choose one of {', '.join(map(str, sides))}")
        if self.width < self.resolution:
            raise TrainingError(
                f"--config.width {self.width} leaves maps of {self.resolution} pixels without a channel; "
                f"give at least {self.resolution}"
            )
        for flag, value in (
            ("widest", self.widest),
            ("noise-dim", self.noise_dim),
            ("style-dim", self.style_dim),
            ("mapping-layers", self.mapping_layers),
        ):
            if value < 1:
                raise TrainingError(f"--config.{flag} {value}: at least 1 is needed")

    @property
    def full(self) -> int:
        """Base-2 logarithm of the side."""
        return self.resolution.bit_length() - 1

    @property
    def layers(self) -> int:
        """How many layers are told a w: two for each side from 4 on."""
        return 2 * self.full - 2

    def channels_at(self, level: int) -> int:
        """Channels of maps of side 2^level."""
        return min(self.width >> level, self.widest)


def normalised(z: Tensor) -> Tensor:
    """[N, Z] -> the same, each row with a mean square of 1."""
    return z * (z.square().mean(1, keepdim=True) + EPSILON).rsqrt()


class Mapping(nn.Module):
    """f of the paper: z normalised, then linear layers with LeakyReLUs, the last one too."""

    mean: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.count, self.repeat = sizes.layers, sizes.repeat
        dims = [sizes.noise_dim, *[sizes.style_dim] * sizes.mapping_layers]
        if not sizes.repeat:
            dims[-1] *= sizes.layers
        # what keeps the size of what passes is before the bias in version 1 and after it in version 2
        before, self.gain = (ROOT, 1.0) if sizes.version == "1" else (1.0, ROOT)
        self.layers = nn.ModuleList(
            ScaledLinear(inputs, outputs, gain=before, rate=sizes.mapping_rate)
            for inputs, outputs in zip(dims, dims[1:], strict=False)
        )
        self.register_buffer("mean", torch.zeros(sizes.layers, sizes.style_dim))

    def forward(self, z: Tensor) -> Tensor:
        """z [N, Z] ~ N(0, 1) -> w [N, L, C]; `repeat`: the same for each layer."""
        x = normalised(z)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE) * self.gain
        return x.unsqueeze(1).expand(-1, self.count, -1) if self.repeat else x.unflatten(1, (self.count, -1))

    @torch.no_grad()
    def follow(self, w: Tensor) -> None:
        """Move `mean` [L, C], w_avg of the paper, towards the mean of w [N, L, C]."""
        self.mean.lerp_(w.float().mean(0), 1 - _MEAN_DECAY)


def truncated(w: Tensor, mean: Tensor, psi: float, layers: int = TRUNCATED) -> Tensor:
    """mean + psi (w - mean) in the first `layers` layers: the truncation trick, Karras et al. 2019, App. B.

    w [N, L, C], mean [L, C]. psi 1 leaves w as it is, 0 makes all pictures the mean one.
    """
    first = torch.lerp(mean[:layers].expand_as(w[:, :layers]), w[:, :layers], psi)
    return torch.cat([first, w[:, layers:]], 1)


def mixed(first: Tensor, second: Tensor, crossover: Tensor) -> Tensor:
    """Style mixing, Karras et al. 2019, Sec. 3.1: `first` [N, L, C] in layers below crossover [N], else `second`."""
    below = torch.arange(first.shape[1], device=first.device) < crossover[:, None]
    return torch.where(below[:, :, None], first, second)


class Synthesis(nn.Module):
    """g of the paper: a learnt 4x4 map, then two layers a side; each side can be made a picture.

    Version 1: the colours of a side are the picture. Version 2: they are added to the picture of the side before.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        widths = [sizes.channels_at(level) for level in range(2, sizes.full + 1)]
        outputs = [width for width in widths for _ in range(2)]
        style = sizes.style_dim
        if sizes.version == "1":
            self.const = nn.Parameter(torch.ones(1, widths[0], 4, 4))
            kind, colours = StyledLayer, [Colours(width, sizes.channels) for width in widths]
        else:
            self.const = nn.Parameter(torch.randn(1, widths[0], 4, 4))
            kind, outputs = ModulatedLayer, outputs[1:]
            colours = [ModulatedColours(width, sizes.channels, style) for width in widths]
        self.layers = nn.ModuleList(
            kind(outputs[max(number - 1, 0)], width, style, number=number) for number, width in enumerate(outputs)
        )
        self.colours = nn.ModuleList(colours)

    def forward(self, w: Tensor, *, level: float | None = None, noise: Noise = "fixed") -> Tensor:
        """w [N, L, C] -> pictures [N, 3, R, R], about [-1, 1].

        level: log2 of the side that is drawn, fractional while one fades in (`blocks.growing`); smaller pictures are
        enlarged at the end, and nothing larger is computed. The full side unless given.
        noise: the layers' own maps, new ones, or none.
        """
        top, share = parts(self.sizes.full if level is None else level)
        image, before = (self._adaptive if self.sizes.version == "1" else self._modulated)(w, top, noise)
        if share < 1:
            image = enlarge(before(), 1 << top).lerp(image, share)
        return enlarge(torch.tanh(image) if self.sizes.final_tanh else image, self.sizes.resolution)

    def _adaptive(self, w: Tensor, top: int, noise: Noise) -> tuple[Tensor, Callable[[], Tensor]]:
        """The picture [N, 3, H, H] of level `top`, and how to make that of the level before."""
        x = last = self.const.expand(w.shape[0], -1, -1, -1)
        for number in range(2 * top - 2):
            x = self.layers[number](x, w[:, number], noise)
            if number == 2 * top - 5:
                last = x
        return self.colours[top - 2](x), lambda: self.colours[top - 3](last)

    def _modulated(self, w: Tensor, top: int, noise: Noise) -> tuple[Tensor, Callable[[], Tensor]]:
        """Likewise."""
        x = self.layers[0](self.const.expand(w.shape[0], -1, -1, -1), w[:, 0], noise)
        image = last = self.colours[0](x, w[:, 1])
        for number in range(1, 2 * top - 3, 2):
            x = self.layers[number + 1](self.layers[number](x, w[:, number], noise), w[:, number + 1], noise)
            last = image
            image = doubled(image) + self.colours[(number + 1) // 2](x, w[:, number + 2])
        return image, lambda: last
