"""Self-attention over the positions of a feature map."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks.normalization import spectral_norm


class SelfAttention(nn.Module):
    """Zhang et al. 2019 (SAGAN), Eq. 1 to 3. The gate gamma starts at 0: at first the map passes unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.query = spectral_norm(nn.Conv2d(channels, inner, 1, bias=False))
        self.key = spectral_norm(nn.Conv2d(channels, inner, 1, bias=False))
        self.value = spectral_norm(nn.Conv2d(channels, channels, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        # one head, as an axis of its own: an export knows no other form
        query, key, value = (project(features).flatten(2).mT[:, None] for project in (self.query, self.key, self.value))
        # SAGAN does not divide by the root of the width
        attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        return features + self.gamma * attended[:, 0].mT.unflatten(2, features.shape[2:])
