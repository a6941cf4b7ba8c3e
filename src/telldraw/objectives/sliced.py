"""How far two clouds of points are apart, seen along many lines."""

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
