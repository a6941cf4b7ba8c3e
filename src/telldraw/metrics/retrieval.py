"""How well captions find their pictures, and pictures their captions, by the scores of a joint embedding.

Rank 0 is found first. Where scores are equal the wrong answer counts as found before the right one, so that an
embedding that says the same of everything finds nothing.
"""

from collections import defaultdict

import torch
from torch import Tensor

_TOGETHER = 256  # queries scored at once


def ranks(scores: Tensor, right: Tensor) -> Tensor:
    """scores [Q, T], right [Q, T] bool, at least one a row -> [Q] int64: how many wrong targets come first."""
    best = scores.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
    return ((scores >= best) & ~right).sum(1)


def within(found: Tensor, count: int) -> float:
    """Share of the ranks that are among the first `count`."""
    return (found < count).float().mean().item()


def by_picture(captions: Tensor, pictures: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """captions [M, D], pictures [N, D], pairs [P, 2] int64: caption, picture -> ranks [M] and [N].

    The first: of each caption's best own picture among all; the second: of each picture's best own caption among all.
    What several pictures say in the same words is one caption of them all.
    """
    return _found(captions, pictures, pairs), _found(pictures, captions, pairs.flip(1))


def _found(asked: Tensor, targets: Tensor, pairs: Tensor) -> Tensor:
    ranked = []
    for start in range(0, len(asked), _TOGETHER):
        part = asked[start : start + _TOGETHER]
        right = torch.zeros(len(part), len(targets), dtype=torch.bool)
        here = pairs[(pairs[:, 0] >= start) & (pairs[:, 0] < start + len(part))]
        right[here[:, 0] - start, here[:, 1]] = True
        ranked.append(ranks(part @ targets.T, right))
    return torch.cat(ranked)


def among_captions(captions: Tensor, pairs: Tensor) -> Tensor:
    """captions [M, D], pairs [P, 2] int64: caption, picture -> ranks [M'] of the best other caption of a picture of it.

    Captions that are the only one of their pictures are left out.
    """
    of, by = defaultdict(set), defaultdict(set)
    for caption, picture in pairs.tolist():
        of[caption].add(picture)
        by[picture].add(caption)
    ranked = []
    for caption, own in of.items():
        right = torch.zeros(1, len(captions), dtype=torch.bool)
        right[0, [mate for picture in own for mate in by[picture]]] = True
        right[0, caption] = False
        scores = captions[None, caption] @ captions.T
        scores[0, caption] = -torch.inf
        if right.any():
            ranked.append(ranks(scores, right))
    return torch.cat(ranked) if ranked else torch.zeros(0, dtype=torch.int64)


def by_class(
    captions: Tensor, pictures: Tensor, caption_class: Tensor, picture_class: Tensor, count: int = 50
) -> tuple[Tensor, Tensor]:
    """As in Reed et al., CVPR 2016: a class is the mean of its captions' embeddings.

    captions [M, D], pictures [N, D], their classes [M] and [N] -> ranks [N] of each picture's own class among the
    classes that have captions (zero-shot classification), and [K] the share of each of these classes' `count` best
    pictures that are of it (AP@50).
    """
    classes = caption_class.unique()
    means = torch.stack([captions[caption_class == number].mean(0) for number in classes])
    scores, right = pictures @ means.T, picture_class[:, None] == classes
    precision = []
    for column in range(len(classes)):
        own = right[:, column]
        wrong_first = own.int().argsort(stable=True)
        order = scores[wrong_first, column].argsort(descending=True, stable=True)
        precision.append(own[wrong_first][order][:count].float().mean())
    known = right.any(1)
    return ranks(scores[known], right[known]), torch.stack(precision)
