"""Parzen-window log-likelihood: how likely a mixture of Gaussians around drawn pictures makes true ones.

Breuleux, Bengio & Vincent 2011; the protocol is that of Goodfellow et al. 2014 and of Mirza & Osindero 2014, Sec. 4.1:

    log p(x) = log 1/M sum_m exp(-|x - mu_m|^2 / 2 sigma^2) - D log(sigma sqrt(2 pi))

with M = 10,000 drawn pictures mu as rows of pixels in [0, 1], sigma the best of ten for 1,000 validation pictures, and
the mean over all test pictures. What it is not worth is in docs/metrics.md: the data themselves, as mu, need not win.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from telldraw.errors import DataError

SIGMAS: tuple[float, ...] = tuple(10 ** (-1 + step / 9) for step in range(10))
"""Ten widths from 0.1 to 1, evenly spaced in their logarithm."""
_CELLS = 4_000_000  # distances in memory at once: 32 MB


class Likelihood(NamedTuple):
    """The figure, in nats a picture."""

    mean: float
    error: float
    """Standard error of the mean over the test pictures; it says nothing of the choice of mu and sigma."""
    sigma: float


def log_likelihood(points: Tensor, centres: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Natural log of the density at points [N, D] of the mixture around centres [M, D], for each sigma: [S, N] float64.

    In double precision, some rows at a time. Raises ValueError when a sigma is not above zero.
    """
    if not all(sigma > 0 for sigma in sigmas):
        raise ValueError(f"every sigma is above 0, not {list(sigmas)}")
    points, centres = _rows(points, "points"), _rows(centres, "centres").double()
    if points.shape[1] != centres.shape[1]:
        raise DataError(
            f"points have {points.shape[1]} numbers and the drawn pictures {centres.shape[1]}; give equal ones"
        )
    middle = centres.mean(0)  # small numbers make for small rounding errors
    centres = centres - middle
    lengths, width = centres.square().sum(1), centres.shape[1]
    found = torch.empty(len(sigmas), len(points), dtype=torch.float64, device=points.device)
    start = 0
    for part in points.split(max(1, _CELLS // len(centres))):
        part = part.double() - middle
        squared = torch.addmm(part.square().sum(1, keepdim=True) + lengths, part, centres.T, alpha=-2).clamp_(min=0)
        for row, sigma in enumerate(sigmas):
            kernel = (squared / (-2 * sigma**2)).logsumexp(1) - math.log(len(centres))
            found[row, start : start + len(part)] = kernel - width * math.log(sigma * math.sqrt(2 * math.pi))
        start += len(part)
    return found


def parzen(
    drawn: Tensor, validation: Tensor, test: Tensor, *, sigmas: Sequence[float] = SIGMAS, picks: int = 1000
) -> Likelihood:
    """The paper's protocol: sigma from the first `picks` validation pictures, the figure from all test pictures.

    drawn [M, ...], validation [V, ...], test [N, ...]: pixels in [0, 1]. Raises DataError for others, and for no rows.
    """
    drawn, validation, test = (
        _pixels(rows, name) for rows, name in ((drawn, "drawn"), (validation[:picks], "validation"), (test, "test"))
    )
    sigma = sigmas[int(log_likelihood(validation, drawn, sigmas).mean(1).argmax())]
    each = log_likelihood(test, drawn, [sigma])[0]
    return Likelihood(float(each.mean()), float(each.std(unbiased=False)) / math.sqrt(len(each)), sigma)


def _pixels(pictures: Tensor, name: str) -> Tensor:
    if not len(pictures):
        raise DataError(f"there are no {name} pictures for the Parzen window; give at least one")
    low, high = float(pictures.min()), float(pictures.max())
    if not 0 <= low <= high <= 1:
        raise DataError(
            f"a Parzen window takes pixels in [0, 1], and those of the {name} pictures reach from {low:g} to {high:g}; "
            "scale them to [0, 1]"
        )
    return pictures.flatten(1)


def _rows(values: Tensor, name: str) -> Tensor:
    if values.dim() != 2 or not len(values):
        raise ValueError(f"{name}: [N, D] with N of at least 1 was expected, not {tuple(values.shape)}")
    return values
