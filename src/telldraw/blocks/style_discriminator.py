"""The discriminator of StyleGAN: convolutions from a picture to one number, and how much pictures of a batch differ.

Version 1 is that of progressive growing: Karras et al., ICLR 2018 (arXiv:1710.10196), Table 2. Version 2 has residuals
and does not grow: Karras et al., CVPR 2020 (arXiv:1912.04958), Fig. 7 c.
"""

import torch
from torch import Tensor, nn

from telldraw.blocks.growing import parts, shrink
from telldraw.blocks.style_generator import Sizes
from telldraw.blocks.style_layers import (
    ROOT,
    FromColours,
    HalvingBlock,
    ScaledConvolution,
    ScaledLinear,
    activated,
    deviation_of_group,
)
from telldraw.blocks.style_modulated import ResidualBlock

GROUP = 4
"""Pictures of a batch that are compared with one another."""


class Verdict(nn.Module):
    """The last layers: minibatch standard deviation, a convolution and two linear layers at 4x4."""

    def __init__(self, channels: int, group: int, gains: tuple[float, float]) -> None:
        """gains: of the weights, and of what has passed a LeakyReLU."""
        super().__init__()
        before, self.gain = gains
        self.group = group
        self.conv = ScaledConvolution(channels + 1, channels, 3, gain=before)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.hidden = ScaledLinear(16 * channels, channels, gain=before)
        self.out = ScaledLinear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, 4, 4] -> logits [N]."""
        x = activated(self.conv(deviation_of_group(x, self.group), self.bias), self.gain)
        return self.out(activated(self.hidden(x.flatten(1)), self.gain)).flatten().float()


class Discriminator(nn.Module):
    """D. Version 1: a way in for pictures of each side, and a block that halves each. Version 2: one way in."""

    def __init__(self, sizes: Sizes, width: int | None = None, *, group: int = GROUP) -> None:
        """width: instead of that of the generator. group: pictures compared with one another."""
        super().__init__()
        self.full, self.grows = sizes.full, sizes.version == "1"
        widths = [min((width or sizes.width) >> level, sizes.widest) for level in range(2, sizes.full + 1)]
        ways = widths if self.grows else widths[-1:]
        gains = (ROOT, 1.0) if self.grows else (1.0, ROOT)
        self.colours = nn.ModuleList(FromColours(sizes.channels, each, gains) for each in ways)
        block = HalvingBlock if self.grows else ResidualBlock
        self.blocks = nn.ModuleList(
            block(large, small) for small, large in zip(widths, widths[1:], strict=False)
        )  # that of 8 pixels first
        self.verdict = Verdict(widths[0], group, gains)

    def forward(self, image: Tensor, *, level: float | None = None) -> Tensor:
        """Pictures [N, 3, R, R] in [-1, 1] -> logits [N].

        `level` as in `Synthesis`: what is finer is not looked at. Version 2 always looks at all.
        """
        top, share = parts(self.full if level is None or not self.grows else level)
        image = shrink(image, 1 << top)
        x = self.colours[top - 2 if self.grows else 0](image)
        for number in range(top - 2, 0, -1):
            x = self.blocks[number - 1](x)
            if number == top - 2 and share < 1:
                x = self.colours[top - 3](shrink(image, 1 << top - 1)).lerp(x, share)
        return self.verdict(x)
