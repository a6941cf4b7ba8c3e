"""How far two clouds of points are apart, or one is from a normal one, seen along many lines."""

import math

import torch
from torch import Tensor


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """The mean over lines of W_2^2 between the points of x and of y on each (Rabin et al. 2011, Sec. 3).

    x, y [N, D]: as many points of either; directions [D, K], of which longer ones count more. On a line the best way
    to move points onto others keeps their order, so sorting finds it. 0 for equal clouds, in any order; in expectation
    over all unit vectors |m|^2 / D for two that differ by a shift m alone. Differentiable in x and y.
    """
    return ((x @ directions).sort(0).values - (y @ directions).sort(0).values).square().mean()


def lines_between(points: Tensor, count: int) -> Tensor:
    """Directions [D, count] for `points` [N, D], N > 1: half of them any, half from one of these points to another.

    Of points that fill few of many dimensions, most directions see next to nothing; those between two of them do.
    """
    half = count // 2
    first = torch.randint(len(points), (count - half,), device=points.device)
    other = (first + torch.randint(1, len(points), first.shape, device=points.device)) % len(points)
    anyhow = torch.randn(points.shape[1], half, device=points.device)
    return torch.cat([anyhow, (points[other] - points[first]).T], 1)


def sliced_normal_energy(x: Tensor, directions: Tensor) -> Tensor:
    """The mean over lines of the energy distance between the points x on each and N(0, 1) (Szekely & Rizzo 2013).

        2 E|X - Y| - E|X - X'| - E|Y - Y'|        Y, Y' ~ N(0, 1), in closed form; X, X' any two of the points

    x [N, D]; directions [D, K] of length 1, along which N(0, I) is N(0, 1). 0 in expectation for points of
    N(0, I), however few there are: pairs are of two different points, so a small batch does not pull them together, as
    W_2 of two small clouds would. 2 sqrt(2 / pi) - 2 / sqrt(pi) for points that are all 0. Differentiable in x.
    """
    seen = x @ directions
    to_normal = seen * torch.erf(seen / math.sqrt(2)) + math.sqrt(2 / math.pi) * torch.exp(-seen.square() / 2)
    count = len(x)
    place = torch.arange(1 - count, count, 2, device=x.device, dtype=x.dtype)  # |a - b| over all pairs, once sorted
    apart = (seen.sort(0).values * place[:, None]).sum(0) * 2 / (count * max(1, count - 1))
    return (2 * to_normal.mean(0) - apart).mean() - 2 / math.sqrt(math.pi)
