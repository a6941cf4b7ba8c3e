"""How near two sets of pictures are, given their features: pure functions of arrays [N, D], in double precision.

features -> `statistics` -> `frechet_distance`; features -> `kernel_distance`, `precision_recall`; logits ->
`inception_score`; features of pictures and of their descriptions -> `r_precision`. None of them knows whose features
these are: a Fréchet distance is an FID only in the features of `metrics.inception`. Chance (subsets, shuffles,
mismatched descriptions) comes from a seed, never from a global generator.

Everything here raises ValueError when an array is not [N, D], not finite, or has too few rows.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

FEW = 2048
"""Below so many pictures the covariance of 2,048 features has no full rank, and the bias of the FID is large."""
_CHUNK = 1024  # rows of a distance matrix that are in memory at once
_QUERIES = 64  # pictures that rank their descriptions at once


class Statistics(NamedTuple):
    """A Gaussian fitted to features."""

    mean: Tensor  # [D] float64
    covariance: Tensor  # [D, D] float64, divided by N - 1
    n: int


class Spread(NamedTuple):
    """A figure as a mean over subsets, and how far they scatter (the population's standard deviation)."""

    mean: float
    std: float


class PrecisionRecall(NamedTuple):
    """Shares, 0 to 1."""

    precision: float
    recall: float


def _rows(features: Tensor, name: str, least: int) -> Tensor:
    if features.dim() != 2 or len(features) < least:
        raise ValueError(f"{name}: [N, D] with N of at least {least} was expected, not {tuple(features.shape)}")
    features = features.double()
    if not bool(features.isfinite().all()):
        raise ValueError(f"{name} are not all finite numbers")
    return features


def _pair(real: Tensor, drawn: Tensor, least: int) -> tuple[Tensor, Tensor]:
    real, drawn = _rows(real, "real features", least), _rows(drawn, "drawn features", least)
    if real.shape[1] != drawn.shape[1]:
        raise ValueError(f"real features have {real.shape[1]} numbers a picture, drawn ones {drawn.shape[1]}")
    return real, drawn


def few(count: int) -> str:
    """What to warn of when the smaller of two sets has so many pictures; empty when there are enough."""
    if count >= FEW:
        return ""
    return (
        f"{count:,} pictures are few: below {FEW:,} these figures say more about how many there are than about how "
        "good they are, and must not be compared with figures over another number"
    )


def statistics(features: Tensor) -> Statistics:
    """Mean and covariance of features [N, D], N >= 2."""
    features = _rows(features, "features", 2)
    mean = features.mean(0)
    centred = features - mean
    return Statistics(mean, centred.T @ centred / (len(features) - 1), len(features))


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)): Heusel et al. 2017 (arXiv:1706.08500), Eq. 6.

    The root of the product C_a C_b, which is not symmetric, is not taken: with factors C = L L^T its trace is the sum
    of the singular values of L_a^T L_b. So covariances without full rank (fewer pictures than features) need no
    small number added to their diagonals, the result is the same in both directions, and nothing complex turns up.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"statistics of {len(a.mean)} and of {len(b.mean)} features cannot be compared")
    shift = (a.mean - b.mean).square().sum()
    root = torch.linalg.svdvals(_factor(a.covariance).T @ _factor(b.covariance)).sum()
    distance = shift + a.covariance.trace() + b.covariance.trace() - 2 * root
    return max(float(distance), 0.0)  # a rounding error below zero


def _factor(covariance: Tensor) -> Tensor:
    """L [D, rank] with L L^T = covariance; what is only rounding in the eigenvalues is left out."""
    values, vectors = torch.linalg.eigh(covariance)
    noise = len(values) * torch.finfo(values.dtype).eps * values.abs().max()
    kept = values > noise
    return vectors[:, kept] * values[kept].sqrt()


def kernel_distance(
    real: Tensor, drawn: Tensor, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> Spread:
    """Squared maximum mean discrepancy under the kernel (x . y / D + 1)^3, features [N, D] and [M, D].

    Bińkowski et al. 2018 (arXiv:1801.01401), section 4: the mean over subsets of the unbiased estimate (Gretton et al.
    2012, Eq. 3), which may be below zero. Raises ValueError when a set has fewer rows than `subset_size`.
    """
    if subset_size < 2 or subsets < 1:
        raise ValueError(f"{subsets} subsets of {subset_size}: at least 1 of 2 is needed")
    real, drawn = _pair(real, drawn, subset_size)
    generator = torch.Generator().manual_seed(seed)
    found = torch.empty(subsets, dtype=torch.float64)
    for number in range(subsets):
        x = real[torch.randperm(len(real), generator=generator)[:subset_size].to(real.device)]
        y = drawn[torch.randperm(len(drawn), generator=generator)[:subset_size].to(drawn.device)]
        found[number] = _unbiased(x, y)
    return Spread(float(found.mean()), float(found.std(unbiased=False)))


def _unbiased(x: Tensor, y: Tensor) -> Tensor:
    """MMD^2 of x, y [m, D] without the diagonals of k(x, x) and k(y, y)."""
    count, width = x.shape

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / width + 1) ** 3

    xx, yy = kernel(x, x), kernel(y, y)
    within = xx.sum() - xx.trace() + yy.sum() - yy.trace()
    return within / (count * (count - 1)) - 2 * kernel(x, y).mean()


def inception_score(logits: Tensor, *, splits: int = 10, seed: int | None = 0) -> Spread:
    """exp E KL(p(y | x) || p(y)) of logits [N, K]: 1 to K. Salimans et al. 2016 (arXiv:1606.03498), section 4.

    The rows are shuffled by `seed` (None leaves their order) and split into `splits` nearly equal parts; the mean and
    the standard deviation over the parts are given.
    """
    logits = _rows(logits, "logits", max(splits, 1))
    if splits < 1:
        raise ValueError(f"{splits} splits: at least 1 is needed")
    if seed is not None:
        order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(seed))
        logits = logits[order.to(logits.device)]
    scores = []
    for part in logits.log_softmax(1).tensor_split(splits):
        marginal = part.logsumexp(0) - math.log(len(part))
        scores.append((part.exp() * (part - marginal)).sum(1).mean().exp())
    values = torch.stack(scores)
    return Spread(float(values.mean()), float(values.std(unbiased=False)))


def precision_recall(real: Tensor, drawn: Tensor, *, neighbours: int = 3) -> PrecisionRecall:
    """Improved precision and recall: Kynkäänniemi et al. 2019 (arXiv:1904.06991), Eq. 1 and 2.

    The ball of a picture reaches to the `neighbours`-th nearest other one of its set. Precision is the share of the
    drawn pictures that lie in the ball of a real one; recall is the share of the real ones that lie in the ball of a
    drawn one. Features [N, D], [M, D]; both sets need more rows than `neighbours`.
    """
    if neighbours < 1:
        raise ValueError(f"{neighbours} neighbours: at least 1 is needed")
    real, drawn = _pair(real, drawn, neighbours + 1)
    centre = real.mean(0)  # small numbers make for small rounding errors
    real, drawn = real - centre, drawn - centre
    return PrecisionRecall(_covered(drawn, real, neighbours), _covered(real, drawn, neighbours))


def _squared(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances [N, M] of rows."""
    return (a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * a @ b.T).clamp(min=0)


def _covered(points: Tensor, centres: Tensor, neighbours: int) -> float:
    """Share of the points that lie in the ball of at least one centre."""
    # the nearest neighbour of a row is itself, at distance 0
    nearest = [_squared(rows, centres).kthvalue(neighbours + 1, dim=1).values for rows in centres.split(_CHUNK)]
    # a point exactly on the edge is inside, as in the paper, although both distances are rounded: a copy of the
    # neighbour that sets the radius is the usual case
    scale = max(float(points.square().sum(1).max()), float(centres.square().sum(1).max()))
    radii = torch.cat(nearest) + 16 * math.sqrt(points.shape[1]) * torch.finfo(points.dtype).eps * scale
    inside = sum(int((_squared(rows, centres) <= radii).any(1).sum()) for rows in points.split(_CHUNK))
    return inside / len(points)


def r_precision(
    image: Tensor, text: Tensor, *, mismatched: int = 99, groups: Tensor | None = None, seed: int = 0
) -> float:
    """How often a picture finds its own words among mismatched ones: Xu et al. 2018 (arXiv:1711.10485), section 4.

    image [N, D]; text [N, D], or [N, R, D] when a picture has R true descriptions. Each picture ranks its own R and
    `mismatched` descriptions of other pictures, drawn by `seed`, by cosine; r of its own are among the first R; the
    figure is the mean of r / R, 0 to 1. With R = 1 and 99 mismatched ones, as in the paper, chance is 0.01.
    Descriptions that score alike share their places evenly. `groups` [N]: pictures of one group (of the same thing,
    with equal descriptions) are never each other's mismatch.
    """
    text = text.unsqueeze(1) if text.dim() == 2 else text
    image = _rows(image, "features of pictures", 2)
    if text.dim() != 3 or len(text) != len(image) or text.shape[2] != image.shape[1]:
        raise ValueError(f"descriptions {tuple(text.shape)} do not belong to pictures {tuple(image.shape)}")
    count, own, width = text.shape
    flat = _rows(text.reshape(-1, width), "features of descriptions", 1)
    image, flat = torch.nn.functional.normalize(image), torch.nn.functional.normalize(flat)
    groups = torch.arange(count) if groups is None else groups.cpu()
    whose = groups.repeat_interleave(own)
    fewest = own * (count - int(groups.unique(return_counts=True)[1].max()))
    if not 1 <= mismatched <= fewest:
        raise ValueError(f"{mismatched} mismatched descriptions were asked for, and a picture has {fewest}")
    generator, total = torch.Generator().manual_seed(seed), 0.0
    for rows in torch.arange(count).split(_QUERIES):
        chance = torch.rand(len(rows), count * own, generator=generator)
        chance[groups[rows].unsqueeze(1) == whose] = -1
        theirs = rows.unsqueeze(1) * own + torch.arange(own)
        chosen = torch.cat([theirs, chance.topk(mismatched, dim=1).indices], 1).to(flat.device)
        # no matrix product: equal descriptions must score equal to the last bit
        scores = (image[rows.to(image.device)].unsqueeze(1) * flat[chosen]).sum(2)
        total += float(_first(scores, own).sum())
    return total / count


def _first(scores: Tensor, own: int) -> Tensor:
    """scores [n, own + mismatched] -> [n]: share of the first `own` columns that rank among the first `own`."""
    mine = scores[:, :own].unsqueeze(2)
    above = (scores.unsqueeze(1) > mine).sum(2)
    alike = (scores.unsqueeze(1) == mine).sum(2)  # itself included
    return ((own - above) / alike).clamp(0, 1).mean(1)
