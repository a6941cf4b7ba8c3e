"""Maxout: an activation that is learnt."""

from torch import Tensor, nn


class Maxout(nn.Module):
    """Goodfellow et al. 2013 (arXiv:1302.4389), Sec. 2: unit i is max_j (x W_ij + b_ij) over its pieces j."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.units = units
        self.linear = nn.Linear(inputs, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., units]."""
        return self.linear(x).unflatten(-1, (self.units, -1)).amax(-1)
