"""Vector quantisation: each vector of a map becomes the nearest entry of a codebook, and a code is its number.

van den Oord et al. 2017 (VQ-VAE, arXiv:1711.00937), Sec. 3 and App. A.1, in the form of VQ-VAE-2 (Razavi et al. 2019,
Sec. 2.1): no gradient moves the codebook; entry i is a moving mean of the vectors that were nearest to it,

    N_i <- gamma N_i + (1 - gamma) n_i      m_i <- gamma m_i + (1 - gamma) sum of these vectors      e_i = m_i / N_i
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Quantised(NamedTuple):
    """What a map [N, D, H, W] becomes."""

    codes: Tensor  # [N, H, W] int64
    entries: Tensor  # [N, D, H, W], without gradient
    passed: Tensor  # the same numbers; their gradient goes to the map as it is (straight through)


class Quantiser(nn.Module):
    """A codebook of K entries of D numbers, and how it follows what it is used for.

    Entries used less than `dead` times as often as they would be were all used alike are put on vectors of the present
    batch (as in Jukebox, Dhariwal et al. 2020, Sec. 3.1). In the first step nearly all are, so that the codebook
    begins with the data.
    """

    codebook: Tensor
    count: Tensor
    total: Tensor

    def __init__(self, codes: int, dim: int, decay: float = 0.99, dead: float = 0.03, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.decay, self.dead, self.epsilon = decay, dead, epsilon
        self.register_buffer("codebook", torch.randn(codes, dim))
        self.register_buffer("count", torch.zeros(codes))  # N
        self.register_buffer("total", torch.zeros(codes, dim))  # m

    def forward(self, z: Tensor) -> Quantised:
        """z [N, D, H, W] -> the nearest entries. Changes nothing."""
        rows = z.detach().float().movedim(1, -1)
        # |z - e|^2 without |z|^2, which is the same for every entry
        distance = torch.addmm(self.codebook.square().sum(1), rows.flatten(0, 2), self.codebook.T, alpha=-2)
        codes = distance.argmin(1).view(rows.shape[:-1])
        entries = self.entries(codes)
        return Quantised(codes, entries, z + (entries - z).detach())

    def entries(self, codes: Tensor) -> Tensor:
        """codes [N, H, W] int64 -> [N, D, H, W]."""
        return F.embedding(codes, self.codebook).movedim(-1, 1)

    @torch.no_grad()
    def follow(self, z: Tensor, codes: Tensor) -> Tensor:
        """Move the codebook after the vectors z [N, D, H, W] were given `codes`; -> number of entries begun anew."""
        rows, used = z.detach().float().movedim(1, -1).flatten(0, 2), codes.flatten()
        size = len(self.codebook)
        sums = torch.zeros_like(self.total).index_add_(0, used, rows)
        self.count.lerp_(torch.bincount(used, minlength=size).to(self.count.dtype), 1 - self.decay)
        self.total.lerp_(sums, 1 - self.decay)
        whole = self.count.sum()
        # Laplace smoothing: an entry that was hardly used is not divided by nearly zero
        smoothed = (self.count + self.epsilon) / (whole + size * self.epsilon) * whole
        self.codebook.copy_(self.total / smoothed.unsqueeze(1))
        return self._restart(rows)

    def _restart(self, rows: Tensor) -> Tensor:
        """Put dead entries on random vectors of the batch, as if used as often as all are on average."""
        even = self.count.sum() / len(self.count)
        dead = self.count < self.dead * even
        chosen = rows[torch.randint(len(rows), (len(self.count),), device=rows.device)]
        self.codebook.copy_(torch.where(dead.unsqueeze(1), chosen, self.codebook))
        self.count.copy_(torch.where(dead, even, self.count))
        self.total.copy_(torch.where(dead.unsqueeze(1), chosen * even, self.total))
        return dead.sum()
