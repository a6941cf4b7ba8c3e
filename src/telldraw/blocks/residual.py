"""Residual blocks of projection-discriminator GANs: Miyato & Koyama 2018, Fig. 14."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks.attention import SelfAttention
from telldraw.blocks.normalization import ConditionalBatchNorm, spectral_norm

SLOPE = 0.01
FEW = 512
"""Positions of the small map, over the batch, below which making a 4x4 kernel costs more than it saves (measured)."""


def convolution(inputs: int, outputs: int, size: int, *, spectral: bool, gain: float = math.sqrt(2)) -> nn.Conv2d:
    """A convolution that keeps the resolution, without bias, Glorot-initialised as in the projection discriminator."""
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    nn.init.xavier_uniform_(layer.weight, gain)
    return spectral_norm(layer) if spectral else layer


def widened(weight: Tensor) -> Tensor:
    """The 4x4 kernel that is a 3x3 kernel averaged over the four positions of a 2x2 window.

    A 3x3 convolution and a 2x2 mean after it are one 4x4 convolution with stride 2, at 16 / 36 of the work and without
    the large map between them; nearest enlargement and a 3x3 convolution after it are its transpose. The results are
    equal but for rounding.
    """
    with torch.autocast(weight.device.type, enabled=False):
        return F.avg_pool2d(F.pad(weight, (1, 1, 1, 1)), 2, stride=1)


def convolve_and_halve(features: Tensor, weight: Tensor) -> Tensor:
    """avg_pool2d(conv2d(features, weight, padding=1), 2): [B, C, H, W], [C', C, 3, 3] -> [B, C', H / 2, W / 2]."""
    if _positions(features) < 4 * FEW:
        return F.avg_pool2d(F.conv2d(features, weight, padding=1), 2)
    return F.conv2d(features, widened(weight), stride=2, padding=1)


def double_and_convolve(features: Tensor, weight: Tensor) -> Tensor:
    """conv2d(nearest 2x of features, weight, padding=1): [B, C, H, W], [C', C, 3, 3] -> [B, C', 2H, 2W]."""
    # an exported graph has one way for any batch, and the smaller kernel makes the smaller file
    if torch.compiler.is_exporting() or _positions(features) < FEW:
        return F.conv2d(F.interpolate(features, scale_factor=2.0), weight, padding=1)
    kernel = 4 * widened(weight).flip(2, 3).transpose(0, 1)
    return F.conv_transpose2d(features, kernel, stride=2, padding=1)


def _positions(features: Tensor) -> int:
    return features.shape[0] * features.shape[2] * features.shape[3]


class UpBlock(nn.Module):
    """Twice the resolution, its scale and shift told by the condition."""

    def __init__(self, inputs: int, outputs: int, condition_dim: int, *, spectral: bool, attention: bool) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm(inputs, condition_dim)
        self.conv1 = convolution(inputs, outputs, 3, spectral=spectral)
        self.norm2 = ConditionalBatchNorm(outputs, condition_dim)
        self.conv2 = convolution(outputs, outputs, 3, spectral=spectral)
        self.attention = SelfAttention(outputs) if attention else None
        self.shortcut = convolution(inputs, outputs, 1, spectral=spectral, gain=1.0)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """features [B, C, H, W], condition [B, D] -> [B, C', 2H, 2W]."""
        # a 1x1 convolution and nearest enlargement commute: convolving first is a quarter of the work
        shortcut = F.interpolate(self.shortcut(features), scale_factor=2.0)
        hidden = F.leaky_relu(self.norm1(features, condition), SLOPE)
        hidden = double_and_convolve(hidden, self.conv1.weight)
        hidden = self.conv2(F.leaky_relu(self.norm2(hidden, condition), SLOPE))
        if self.attention is not None:
            hidden = self.attention(hidden)
        return shortcut + hidden


class DownBlock(nn.Module):
    """Half the resolution (or the same), for a critic: no normalisation but that of the weights."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        first: bool = False,
        down: bool = True,
        spectral: bool,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.first, self.down = first, down
        self.conv1 = convolution(inputs, outputs, 3, spectral=spectral)
        self.conv2 = convolution(outputs, outputs, 3, spectral=spectral)
        self.attention = SelfAttention(outputs) if attention else None
        changes = down or inputs != outputs
        self.shortcut = convolution(inputs, outputs, 1, spectral=spectral, gain=1.0) if changes else None

    def forward(self, features: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', H / 2, W / 2], or H and W as they were."""
        hidden = self.conv1(features if self.first else F.leaky_relu(features, SLOPE))
        hidden = F.leaky_relu(hidden, SLOPE)
        hidden = convolve_and_halve(hidden, self.conv2.weight) if self.down else self.conv2(hidden)
        # a mean and a 1x1 convolution commute: the mean first is a quarter of the work
        shortcut = F.avg_pool2d(features, 2) if self.down else features
        if self.attention is not None:
            hidden = self.attention(hidden)
        return hidden + (shortcut if self.shortcut is None else self.shortcut(shortcut))
