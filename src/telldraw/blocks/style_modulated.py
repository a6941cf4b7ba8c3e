"""Layers of StyleGAN 2 (Karras et al., CVPR 2020, arXiv:1912.04958): modulated weights, skips, residuals.

A style scales the input channels of a layer's weights, and what comes out is divided by the size it is expected to have
(Sec. 2.2, Eq. 1 and 3):

    w'_oik = s_i w_oik                w''_oik = w'_oik / sqrt(sum_ik w'_oik^2 + eps)

Weights of their own for each picture would be N convolutions; scaling the input by s and the output by the root is the
same function and one convolution.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks.style_layers import (
    EPSILON,
    ROOT,
    Noise,
    ScaledConvolution,
    ScaledLinear,
    activated,
    fixed_noise,
    noise_map,
)


def filtered(x: Tensor, *, padding: int, gain: float = 1.0, stride: int = 1) -> Tensor:
    """Each map with the kernel [1, 3, 3, 1] x [1, 3, 3, 1] / 64 times `gain`.

    [N, C, H, W] -> [N, C, (H + 2 padding - 3) / stride, (W + 2 padding - 3) / stride].
    """
    return F.conv2d(x, _kernel(x, gain), padding=padding, stride=stride, groups=x.shape[1])


def doubled(image: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, 2H, 2W]: zeros between the pixels, then the kernel with four times its size."""
    return F.conv_transpose2d(image, _kernel(image, 4.0), stride=2, padding=1, groups=image.shape[1])


def _kernel(x: Tensor, gain: float) -> Tensor:
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device) / 8
    return (gain * line[:, None] * line).expand(x.shape[1], 1, 4, 4)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """1 / sqrt(sum_ik (s_i w_oik)^2 + eps): weight [O, I, k, k], style [N, I] -> [N, O]."""
    return (style.square() @ weight.square().sum((2, 3)).mT + EPSILON).rsqrt()


def modulated(x: Tensor, weight: Tensor, style: Tensor, *, enlarges: bool = False) -> Tensor:
    """The convolution with demodulated weights, Eq. 3.

    x [N, I, H, W], weight [O, I, k, k], style [N, I] -> [N, O, H, W].
    enlarges: twice the side; zeros between the positions, the convolution, and the kernel of `filtered`.
    """
    scaled = x * style[:, :, None, None]
    if enlarges:
        out = filtered(F.conv_transpose2d(scaled, weight.transpose(0, 1), stride=2), padding=1, gain=4.0)
    else:
        out = F.conv2d(scaled, weight, padding=weight.shape[-1] // 2)
    return out * demodulation(weight, style)[:, :, None, None]


class ModulatedLayer(nn.Module):
    """A layer of version 2: modulated convolution, noise of one strength for all channels, bias, LeakyReLU."""

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, style_dim: int, *, number: int) -> None:
        """number: place in the generator; layer 0 is the one of 4x4, and the odd ones enlarge."""
        super().__init__()
        self.enlarges = number % 2 == 1
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(()))
        self.style = ScaledLinear(style_dim, inputs, bias=1.0)
        self.register_buffer("noise", fixed_noise(number, 4 << (number + 1) // 2))

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """x [N, inputs, H, W], w [N, style_dim] -> [N, outputs, H, W], or twice the side."""
        x = modulated(x, self.weight.contiguous(), self.style(w), enlarges=self.enlarges)
        added = noise_map(noise, self.noise, x.shape[0])
        x = x + (self.bias[:, None, None] if added is None else self.bias[:, None, None] + added * self.strength)
        return activated(x, ROOT)


class ModulatedColours(nn.Module):
    """Channels of a map to those of a picture, told a style; not demodulated. Sec. 4.1."""

    def __init__(self, inputs: int, channels: int, style_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.style = ScaledLinear(style_dim, inputs, bias=1.0)
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, inputs, H, W], w [N, style_dim] -> [N, channels, H, W]."""
        style = self.style(w) * self.scale
        return F.conv2d(x * style[:, :, None, None], self.weight.contiguous(), self.bias)


class ResidualBlock(nn.Module):
    """A side of version 2's discriminator: two convolutions, the second to half the side, beside a 1x1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (ScaledConvolution(inputs, each, 3, gain=1.0) for each in (inputs, outputs))
        self.bias1, self.bias2 = nn.Parameter(torch.zeros(inputs)), nn.Parameter(torch.zeros(outputs))
        self.skip = ScaledConvolution(inputs, outputs, 1, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / 2, W / 2]."""
        skip = self.skip(filtered(x, padding=1, stride=2))
        x = activated(self.conv1(x, self.bias1), ROOT)
        x = F.conv2d(filtered(x, padding=2), self.conv2.scaled(), self.bias2, stride=2)
        return activated(x) + skip / ROOT  # the mean of both, times the root of 2: (ROOT a + skip) / ROOT
