"""Divergences between distributions, in nats."""

import torch
from torch import Tensor


def gaussian_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp logvar) || N(0, 1)) of each dimension [B, D]: Kingma & Welling 2014, App. B."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar)


def jensen_shannon(p: Tensor, q: Tensor, cell: float = 1.0) -> Tensor:
    """JSD(p, q) = KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2; from 0, where p = q, to log 2; a scalar.

    p, q [...]: probabilities of outcomes, each with sum 1; or densities on a grid, whose cells have the volume `cell`.
    """
    middle = 0.5 * (p + q)
    each = torch.special.xlogy(p, p) + torch.special.xlogy(q, q) - 2 * torch.special.xlogy(middle, middle)
    return 0.5 * cell * each.sum()
