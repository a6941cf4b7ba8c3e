"""Layers of StyleGAN (Karras, Laine & Aila, CVPR 2019, arXiv:1812.04948): equalised rates, blur, noise, AdaIN.

Weights are drawn from N(0, 1) and scaled each time they are used (Karras et al., ICLR 2018, Sec. 4.1), so that Adam's
steps are of the same relative size in every layer: the scale is gain / sqrt(fan in).
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks.residual import convolve_and_halve, double_and_convolve

Noise = Literal["fixed", "random", "none"]
"""Whose noise a layer adds: its own maps, new ones for each picture, or none."""
SLOPE = 0.2
"""Of all LeakyReLUs."""
ROOT = math.sqrt(2)
"""Gain that keeps the size of what passes a LeakyReLU."""
EPSILON = 1e-8


def activated(x: Tensor, gain: float = 1.0) -> Tensor:
    """LeakyReLU times `gain`; x may be overwritten."""
    x = F.leaky_relu_(x, SLOPE)
    return x if gain == 1 else x * gain


class ScaledLinear(nn.Module):
    """x W^T gain rate / sqrt(inputs) + b rate: a linear layer with an equalised rate, `rate` times that of others."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = gain * rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] -> [N, outputs]."""
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class ScaledConvolution(nn.Module):
    """A convolution that keeps the side of the map, its rate equalised; its bias is added by whoever calls it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, gain: float = ROOT) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = gain / math.sqrt(inputs * kernel * kernel)

    def scaled(self) -> Tensor:
        """The weights that are used, [outputs, inputs, kernel, kernel].

        By rows in memory: norms of single maps want it, and on a processor convolutions are not slower for it.
        """
        return (self.weight * self.scale).contiguous()

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        return F.conv2d(x, self.scaled(), bias, padding=self.weight.shape[-1] // 2)


def blur(x: Tensor) -> Tensor:
    """[N, C, H, W] -> the same shape: each map with the kernel [1, 2, 1] x [1, 2, 1] / 16, zeros beyond the edge."""
    line = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
    kernel = (line[:, None] * line).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


def adain(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """(1 + scale) (x - mu(x)) / sigma(x) + shift: Karras et al. 2019, Eq. 1, y_s written as 1 + scale.

    x [N, C, H, W], scale and shift [N, C]; mu and sigma are those of each map, over its positions.
    """
    return torch.addcmul(shift[:, :, None, None], F.group_norm(x, x.shape[1], eps=EPSILON), 1 + scale[:, :, None, None])


def fixed_noise(number: int, side: int) -> Tensor:
    """The noise map [1, 1, side, side] ~ N(0, 1) of layer `number`: the same whenever it is made."""
    generator = torch.Generator().manual_seed(number)
    return torch.randn(1, 1, side, side, generator=generator, device="cpu")


def noise_map(kind: Noise, fixed: Tensor, count: int) -> Tensor | None:
    """The noise for `count` pictures, [1 or N, 1, H, W] like the layer's own `fixed` [1, 1, H, W]; None for none."""
    if kind == "none":
        return None
    return torch.randn_like(fixed.expand(count, -1, -1, -1)) if kind == "random" else fixed


class StyledLayer(nn.Module):
    """A layer of version 1: convolution, blur where it enlarges, noise, bias, LeakyReLU, AdaIN. Fig. 1 b."""

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, style_dim: int, *, number: int) -> None:
        """number: place in the generator; layer 0 has no convolution, and the other even ones enlarge."""
        super().__init__()
        self.enlarges = number > 0 and number % 2 == 0
        self.conv = ScaledConvolution(inputs, outputs, 3) if number else None
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(outputs))  # B of the paper
        self.style = ScaledLinear(style_dim, 2 * outputs)  # A of the paper
        self.register_buffer("noise", fixed_noise(number, 4 << number // 2))

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """x [N, inputs, H, W], w [N, style_dim] -> [N, outputs, H, W], or twice the side."""
        if self.conv is not None:
            x = blur(double_and_convolve(x, self.conv.scaled())) if self.enlarges else self.conv(x)
        added = noise_map(noise, self.noise, x.shape[0])
        bias = self.bias[:, None, None]
        x = x + (bias if added is None else torch.addcmul(bias, added, self.strength[:, None, None]))
        return adain(activated(x), *self.style(w).chunk(2, dim=1))


class Colours(nn.Module):
    """Channels of a map to those of a picture: "to RGB"."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.conv = ScaledConvolution(inputs, channels, 1, gain=1.0)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, channels, H, W]."""
        return self.conv(x, self.bias)


class FromColours(nn.Module):
    """Channels of a picture to those of a map: "from RGB"."""

    def __init__(self, channels: int, outputs: int, gains: tuple[float, float] = (ROOT, 1.0)) -> None:
        """gains: of the weights, and of what has passed the LeakyReLU."""
        super().__init__()
        before, self.gain = gains
        self.conv = ScaledConvolution(channels, outputs, 1, gain=before)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> [N, outputs, H, W]."""
        return activated(self.conv(x, self.bias), self.gain)


class HalvingBlock(nn.Module):
    """A side of version 1's discriminator: convolution, blur, convolution to half the side; LeakyReLUs."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = ScaledConvolution(inputs, inputs, 3), ScaledConvolution(inputs, outputs, 3)
        self.bias1, self.bias2 = nn.Parameter(torch.zeros(inputs)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / 2, W / 2]."""
        x = blur(activated(self.conv1(x, self.bias1)))
        return activated(convolve_and_halve(x, self.conv2.scaled()) + self.bias2[:, None, None])


def deviation_of_group(x: Tensor, size: int) -> Tensor:
    """How much the pictures of a group differ, as one more map: Karras et al. 2018, Sec. 3.

    x [N, C, H, W] -> [N, C + 1, H, W]. The standard deviation of each number over a group, averaged over all of them.
    Groups have `size` pictures, or the most that share a batch evenly; n and n + N / size are in one group.
    """
    count = x.shape[0]
    size = next(each for each in range(min(size, count), 0, -1) if count % each == 0)
    grouped = x.float().unflatten(0, (size, count // size))
    deviation = (grouped.var(0, correction=0) + EPSILON).sqrt().mean((1, 2, 3))  # [N / size]
    told = deviation.repeat(size).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
    return torch.cat([x, told.to(x.dtype)], 1)
