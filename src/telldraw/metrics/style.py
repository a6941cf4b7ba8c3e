"""Whether vectors know the style of pictures: the ROC of Reed et al., ICML 2016 (arXiv:1605.05396), Sec. 5.2.

What is known of each picture's style, such as the mean colour of its background, is grouped by K-means. Two pictures of
one group are a positive pair, two of different groups a negative one, and the cosine of their vectors is to tell which.
The paper gives the area under the ROC curve, averaged over five folds; no code of it was released. All functions are
pure, and the same for the same seed; N pictures, F numbers of style, D numbers in a vector.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from telldraw.metrics.conditional import auc

CLUSTERS, FOLDS = 100, 5
"""The paper's numbers."""
RATES = torch.linspace(0, 1, 201, dtype=torch.float64)
"""False positive rates at which curves are given."""
_ITERATIONS = 100


class Same(NamedTuple):
    """How well cosines tell pairs of one cluster from other pairs, in each of K folds."""

    auc: Tensor  # [K] float64; nan where a fold has no pair of one of the two kinds
    curve: Tensor  # [201] float64: the true positive rate at each of RATES, mean over the folds that have one
    pairs: int  # positive pairs, of all folds

    @property
    def mean(self) -> float:
        """Mean over folds."""
        return float(self.auc.nanmean())

    @property
    def deviation(self) -> float:
        """Standard deviation over folds; nan where only one counts."""
        known = self.auc[~self.auc.isnan()]
        return float(known.std()) if len(known) > 1 else math.nan


def clusters(values: Tensor, count: int = CLUSTERS, *, seed: int = 0, starts: int = 4) -> Tensor:
    """K-means of values [N, F] -> the cluster of each, [N] int64: of `starts` beginnings the one that ends best.

    Begins with K-means++ (Arthur & Vassilvitskii, SODA 2007), then moves centres to means until nothing changes. A
    cluster that loses all its members takes the value farthest from its centre. Where fewer than `count` values differ,
    each of them is a cluster. Raises ValueError for values that are no numbers and for a count below 1.
    """
    if count < 1 or not len(values) or not bool(values.isfinite().all()):
        raise ValueError("K-means needs a count of at least 1 and finite values")
    values = values.double()
    count = min(count, len(values.unique(dim=0)))
    generator = torch.Generator().manual_seed(seed)
    return min((_lloyd(values, _begun(values, count, generator)) for _ in range(starts)), key=lambda found: found[1])[0]


def _begun(values: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Centres [K, F]: values, each chosen with a chance that grows with the square of its distance to those before."""
    chosen = [int(torch.randint(len(values), (1,), generator=generator))]
    squares = (values - values[chosen[0]]).square().sum(1)
    while len(chosen) < count:
        chosen.append(int(torch.multinomial(squares, 1, generator=generator)))
        squares = torch.minimum(squares, (values - values[chosen[-1]]).square().sum(1))
    return values[chosen]


def _lloyd(values: Tensor, centres: Tensor) -> tuple[Tensor, float]:
    """Clusters [N], and the sum of the squared distances to their means, from these centres on."""
    own = torch.full((len(values),), -1)
    for _ in range(_ITERATIONS):
        squares = torch.cdist(values, centres, compute_mode="donot_use_mm_for_euclid_dist").square()
        distance, now = squares.min(1)
        sizes = now.bincount(minlength=len(centres))
        for empty in (sizes == 0).nonzero()[:, 0].tolist():
            alone = sizes[now] == 1  # whose cluster would be empty instead
            far = int(distance.masked_fill(alone, -1).argmax())
            sizes[now[far]] -= 1
            now[far], distance[far], sizes[empty] = empty, 0, 1
        if torch.equal(now, own):
            break
        own = now
        centres = torch.zeros_like(centres).index_add_(0, own, values) / sizes[:, None]
    return own, float((values - centres[own]).square().sum())


def roc(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Scores [P], [M] -> rates [T] of false and of true positives, from (0, 0) to (1, 1), a point for each threshold.

    Equal scores are one point, so that the area under straight lines between points is `auc`, ties counting half.
    Raises ValueError when either is empty.
    """
    if not len(positive) or not len(negative):
        raise ValueError("scores of both kinds are needed")
    scores, order = torch.cat([positive, negative]).double().sort(descending=True)
    right = (order < len(positive)).double()
    last = torch.cat([scores[1:] != scores[:-1], torch.ones(1, dtype=torch.bool)])
    nothing = torch.zeros(1, dtype=torch.float64)
    rates = [torch.cat([nothing, each.cumsum(0)[last] / each.sum()]) for each in (1 - right, right)]
    return rates[0], rates[1]


def same_style(vectors: Tensor, cluster: Tensor, *, folds: int = FOLDS, seed: int = 0) -> Same:
    """Cosines of all pairs within each fold: do those of one cluster score above others? vectors [N, D], cluster [N].

    The pictures are shuffled by `seed` and split into `folds`; a pair counts where both are of one fold. Raises
    ValueError when no fold has pairs of both kinds.
    """
    unit = torch.nn.functional.normalize(vectors.double(), dim=1)
    order = torch.randperm(len(unit), generator=torch.Generator().manual_seed(seed))
    areas, curves, pairs = [], [], 0
    for fold in order.tensor_split(folds):
        upper = torch.triu_indices(len(fold), len(fold), 1)
        scores = (unit[fold] @ unit[fold].T)[upper[0], upper[1]]
        same = cluster[fold][upper[0]] == cluster[fold][upper[1]]
        positive, negative = scores[same], scores[~same]
        pairs += len(positive)
        if not len(positive) or not len(negative):
            areas.append(math.nan)
            continue
        areas.append(auc(positive, negative))
        curves.append(_at_rates(*roc(positive, negative)))
    if not curves:
        raise ValueError("no fold has pairs of one cluster and pairs of two: there are too few pictures")
    return Same(torch.tensor(areas, dtype=torch.float64), torch.stack(curves).mean(0), pairs)


def _at_rates(false: Tensor, true: Tensor) -> Tensor:
    """The true positive rate [201] at each of RATES: the upper end where the curve rises there, straight between."""
    after = torch.searchsorted(false, RATES, right=True).clamp(max=len(false) - 1)
    before = after - 1
    width = false[after] - false[before]
    share = torch.where(width > 0, (RATES - false[before]) / width.clamp(min=1e-300), torch.ones_like(width))
    return torch.lerp(true[before], true[after], share.clamp(0, 1))


def frame(images: Tensor, share: float = 0.02) -> Tensor:
    """Mean colour of the outermost pixels, images [N, C, H, W] -> [N, C]: a frame of `share` of the side, at least one.

    The paper takes the background from the masks of CUB. Where no mask is stored, this stands for it: solids of CLEVR
    birds keep 2 % of the picture from its edge, so nothing but the floor, and shadows on it, is in the frame.
    """
    width = max(1, math.floor(share * images.shape[-1]))
    inside = torch.zeros(images.shape[-2:], dtype=torch.bool)
    inside[width:-width, width:-width] = True
    return images[..., ~inside].double().mean(-1)


def correlation(found: Tensor, true: Tensor) -> Tensor:
    """Pearson's correlation of each column of one [N, D] with that of the other, [D]; 0 where either is constant."""
    found, true = (each.double() - each.double().mean(0) for each in (found, true))
    lengths = found.norm(dim=0) * true.norm(dim=0)
    return torch.where(lengths > 0, (found * true).sum(0) / lengths.clamp(min=1e-300), torch.zeros_like(lengths))
