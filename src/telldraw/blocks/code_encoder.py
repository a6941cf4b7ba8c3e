"""What reads the code of a style generator from a picture, a sketch or a map of regions."""

import torch
from torch import Tensor, nn

from telldraw.blocks.strided import SMALLEST, begin, halving
from telldraw.blocks.style_generator import Sizes


class CodeEncoder(nn.Module):
    """Strided convolutions from a picture to what each layer's code differs by from the mean code."""

    def __init__(self, sizes: Sizes, channels: int, *, width: int, dim: int) -> None:
        """channels: of the picture; width: of the largest map, doubled with each halving; dim: before the code."""
        super().__init__()
        halvings = (sizes.resolution // SMALLEST).bit_length() - 1
        smallest = (width << (halvings - 1)) * SMALLEST**2
        self.picture = nn.Sequential(*halving(channels, width, halvings), nn.Flatten())
        self.code = nn.Sequential(
            nn.Linear(smallest, dim), nn.LeakyReLU(0.2), nn.Linear(dim, sizes.layers * sizes.style_dim)
        )
        self.apply(begin)
        self.layers = sizes.layers

    def forward(self, picture: Tensor, mean: Tensor) -> Tensor:
        """picture [N, C, H, W], mean [L, C] -> code [N, L, C]."""
        features = self.picture(picture.contiguous(memory_format=torch.channels_last))
        return mean + self.code(features).float().unflatten(1, (self.layers, -1))
