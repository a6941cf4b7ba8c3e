"""Residual blocks of projection-discriminator GANs: Miyato & Koyama 2018, Fig. 14."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks.attention import SelfAttention
from telldraw.blocks.normalization import ConditionalBatchNorm, spectral_norm

SLOPE = 0.01


def convolution(inputs: int, outputs: int, size: int, *, spectral: bool, gain: float = math.sqrt(2)) -> nn.Conv2d:
    """A convolution that keeps the resolution, without bias, Glorot-initialised as in the projection discriminator."""
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    nn.init.xavier_uniform_(layer.weight, gain)
    return spectral_norm(layer) if spectral else layer


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
        hidden = self.conv1(F.interpolate(hidden, scale_factor=2.0))
        hidden = self.conv2(F.leaky_relu(self.norm2(hidden, condition), SLOPE))
        if self.attention is not None:
            hidden = self.attention(hidden)
        return shortcut + hidden


class DownBlock(nn.Module):
    """Half the resolution (or the same), for a critic: no normalisation but that of the weights."""

    def __init__(
        self, inputs: int, outputs: int, *, first: bool = False, down: bool = True, spectral: bool, attention: bool = False
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
        hidden = self.conv2(F.leaky_relu(hidden, SLOPE))
        shortcut = features
        if self.down:
            # mean pooling and a 1x1 convolution commute: pooling first is a quarter of the work
            hidden, shortcut = F.avg_pool2d(hidden, 2), F.avg_pool2d(shortcut, 2)
        if self.attention is not None:
            hidden = self.attention(hidden)
        return hidden + (shortcut if self.shortcut is None else self.shortcut(shortcut))
