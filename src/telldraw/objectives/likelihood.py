"""How likely pixels are under what a decoder says of them, in nats: pure functions of tensors.

A picture's pixels are independent given its code, so each figure is a sum over pixels. `x` is in [0, 1].
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """Sum of x log p + (1 - x) log(1 - p) with p = sigmoid(logits), both [..., C, H, W] -> [...], at most 0.

    Kingma & Welling 2014, Eq. 11. A log-likelihood where x is 0 or 1. Of grey pixels it is minus the cross entropy,
    which published examples minimise all the same: comparable with theirs, but no pixel's probability.
    """
    x, logits = torch.broadcast_tensors(x, logits)
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(-3).sum(-1)


def gaussian_log_likelihood(mean: Tensor, variance: Tensor, x: Tensor) -> Tensor:
    """Sum of log N(x; mean, variance), all [..., C, H, W] or broadcast to it -> [...]: Kingma & Welling 2014, Eq. 12.

    A density: it has no upper bound but the one that a floor of the variance gives, D/2 log(1 / (2 pi floor)).
    """
    each = -0.5 * ((x - mean).square() / variance + variance.log() + math.log(2 * math.pi))
    return each.flatten(-3).sum(-1)


def floored_variance(raw: Tensor, floor: float) -> Tensor:
    """floor + log(1 + exp raw), of any shape: never less than `floor`, smooth, and linear where it is large.

    Without a floor the likelihood of a pixel that is the same in every picture grows without end as its variance
    shrinks, and the gradients of its mean, which are divided by the variance, with it.
    """
    return floor + F.softplus(raw)
