"""The discriminator of StyleGAN: convolutions from a picture to one number, and how much pictures of a batch differ.

Version 1 is that of progressive growing: Karras et al., ICLR 2018 (arXiv:1710.10196), Table 2.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks.growing import parts, shrink
from telldraw.blocks.style_generator import Sizes
from telldraw.blocks.style_layers import (
    ROOT,
    SLOPE,
    FromColours,
    HalvingBlock,
    ScaledConvolution,
    ScaledLinear,
    deviation_of_group,
)

GROUP = 4
"""Pictures of a batch that are compared with one another."""


class Verdict(nn.Module):
    """The last layers: minibatch standard deviation, a convolution and two linear layers at 4x4."""

    def __init__(self, channels: int, group: int) -> None:
        super().__init__()
        self.group = group
        self.conv, self.bias = ScaledConvolution(channels + 1, channels, 3), nn.Parameter(torch.zeros(channels))
        self.hidden = ScaledLinear(16 * channels, channels, gain=ROOT)
        self.out = ScaledLinear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, 4, 4] -> logits [N]."""
        x = F.leaky_relu_(self.conv(deviation_of_group(x, self.group), self.bias), SLOPE)
        return self.out(F.leaky_relu_(self.hidden(x.flatten(1)), SLOPE)).flatten().float()


class Discriminator(nn.Module):
    """D, version 1: a way in for pictures of each side, and a block that halves each."""

    def __init__(self, sizes: Sizes, width: int | None = None, *, group: int = GROUP) -> None:
        """width: instead of that of the generator. group: pictures compared with one another."""
        super().__init__()
        self.full = sizes.full
        widths = [min((width or sizes.width) >> level, sizes.widest) for level in range(2, sizes.full + 1)]
        self.colours = nn.ModuleList(FromColours(sizes.channels, each) for each in widths)
        self.blocks = nn.ModuleList(
            HalvingBlock(large, small) for small, large in zip(widths, widths[1:], strict=False)
        )  # that of 8 pixels first
        self.verdict = Verdict(widths[0], group)

    def forward(self, image: Tensor, *, level: float | None = None) -> Tensor:
        """Pictures [N, 3, R, R] in [-1, 1] -> logits [N]; `level` as in `Synthesis`: what is finer is not looked at."""
        top, share = parts(self.full if level is None else level)
        image = shrink(image, 1 << top)
        x = self.colours[top - 2](image)
        for number in range(top - 2, 0, -1):
            x = self.blocks[number - 1](x)
            if number == top - 2 and share < 1:
                x = self.colours[top - 3](shrink(image, 1 << top - 1)).lerp(x, share)
        return self.verdict(x)
