"""Maps of discrete codes: how likely they are, and how they are learned."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def code_nats(logits: Tensor, codes: Tensor) -> Tensor:
    """-log p(codes) of an autoregressive model: logits [N, K, H, W], codes [N, H, W] int64 -> [N] nats, summed.

    van den Oord et al. 2016, Eq. 1: exact, where the logits at a position depend on the codes before it alone.
    """
    return F.cross_entropy(logits, codes, reduction="none").flatten(1).sum(1)


def bits_per_dimension(nats: Tensor, dimensions: int) -> Tensor:
    """Nats of `dimensions` numbers (pixels, or codes) -> bits of each."""
    return nats / (dimensions * math.log(2))


def commitment(encoded: Tensor, quantised: Tensor) -> Tensor:
    """Mean of (E(x) - sg[e])^2 over all numbers: van den Oord et al. 2017 (VQ-VAE), Eq. 3, last term without beta."""
    return (encoded - quantised.detach()).square().mean()


def perplexity(used: Tensor) -> Tensor:
    """exp of the entropy of how often each code is used: used [K] counts, not all zero -> scalar from 1 to K."""
    share = used.double() / used.sum()
    return torch.exp(-torch.xlogy(share, share).sum()).to(torch.float32)


def discretised_laplace_nats(mean: Tensor, scale: Tensor, image: Tensor) -> Tensor:
    """-log p of a picture of 8-bit pixels: of the mass of a Laplace distribution in the interval of each, 2 / 255.

    mean, image [N, C, H, W] in [-1, 1], scale > 0, broadcast to them -> [N] nats. What lies outside [-1, 1] is not
    given to the outermost grey levels, so the masses sum to a little less than 1: never too likely.
    """
    half = 1 / 255
    distance = (image - mean).abs()
    # the interval holds the mean, or lies on one side of it
    inside = torch.log1p(-0.5 * (torch.exp((distance - half) / scale) + torch.exp(-(distance + half) / scale)))
    outside = (half - distance) / scale + torch.log(-torch.expm1(-2 * half / scale)) - math.log(2)
    return -torch.where(distance < half, inside, outside).flatten(1).sum(1)
