"""Divergences between distributions, in nats."""

from torch import Tensor


def gaussian_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp logvar) || N(0, 1)) of each dimension [B, D]: Kingma & Welling 2014, App. B."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar)
