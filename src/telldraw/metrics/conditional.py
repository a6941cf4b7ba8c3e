"""Whether what was drawn for a label shows it, and whether it is more than one picture: pure functions of arrays.

An independent classifier says what a drawing shows. Its word counts for as much as its own accuracy on true pictures,
which belongs beside every figure here. That a label is obeyed is not enough: a generator that knows one good picture a
class obeys every label. So the spread within each class stands beside it, and the distance to the nearest picture it
was trained on, which would be near zero had it learned them by heart.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

_CELLS = 8_000_000  # distances in memory at once: 32 MB


def confusion(asked: Tensor, shown: Tensor, classes: int) -> Tensor:
    """How often a picture asked to show class i shows class j: asked, shown [N] int64 -> counts [K, K] int64.

    Raises ValueError when a class is not from 0 to K - 1.
    """
    for name, values in (("asked", asked), ("shown", shown)):
        if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < classes:
            raise ValueError(f"{name}: classes from 0 to {classes - 1} were expected")
    return torch.bincount(asked * classes + shown, minlength=classes**2).view(classes, classes)


def class_accuracy(counts: Tensor) -> Tensor:
    """Counts of `confusion` [K, K] -> share of the pictures of each class that show it, [K], or nan."""
    return counts.diagonal().double() / counts.sum(1)


def class_spread(pictures: Tensor, label: Tensor, classes: int) -> Tensor:
    """How different the pictures of one class are: standard deviation of a pixel over them, mean over pixels, [K].

    pictures [N, ...], label [N] int64; in the unit of the pixels. nan where a class has fewer than two pictures.
    """
    rows, found = pictures.flatten(1).double(), torch.full((classes,), torch.nan, dtype=torch.float64)
    for index in range(classes):
        mine = rows[label == index]
        if len(mine) > 1:
            found[index] = mine.std(0).mean()
    return found


def nearest(pictures: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest row of `known` [M, ...] to each picture [N, ...]: Euclidean distance [N], and which row [N]."""
    rows, known = pictures.flatten(1).float(), known.flatten(1).float()
    lengths = known.square().sum(1)
    found = [
        torch.addmm(part.square().sum(1, keepdim=True) + lengths, part, known.T, alpha=-2).min(1)
        for part in rows.split(max(1, _CELLS // len(known)))
    ]
    index = torch.cat([each.indices for each in found])
    # the distance of the pair itself: products of long rows lose the last digits of a small one
    return (rows - known[index]).norm(dim=1), index


def auc(positive: Tensor, negative: Tensor) -> float:
    """Probability that a positive scores above a negative, ties for half (the area under the ROC curve): [N], [M].

    Raises ValueError when either is empty.
    """
    if not len(positive) or not len(negative):
        raise ValueError("scores of both kinds are needed")
    ordered = negative.double().sort().values
    below = torch.searchsorted(ordered, positive.double())
    up_to = torch.searchsorted(ordered, positive.double(), right=True)
    return float((below + up_to).double().mean() / (2 * len(ordered)))


class Verdict(NamedTuple):
    """What a discriminator makes of pairs of one kind."""

    mean: float
    """Mean of D, 0 to 1."""
    accepted: float
    """Share of the pairs with D above 1/2."""
    auc: float | None
    """Probability that a true picture with its own label scores above one of these; None for those themselves."""


RIGHT = "true picture, right label"
KINDS = (RIGHT, "true picture, wrong label", "drawn picture, right label", "drawn picture, wrong label")
"""The pairs a conditional discriminator may be shown. It should accept the first and reject the other three."""


def verdicts(logits: Mapping[str, Tensor]) -> dict[str, Verdict]:
    """Logits [N] of pairs by kind, `RIGHT` among them -> what D makes of each kind."""
    return {
        kind: Verdict(
            float(each.double().sigmoid().mean()),
            float((each > 0).double().mean()),
            None if kind == RIGHT else auc(logits[RIGHT], each),
        )
        for kind, each in logits.items()
    }
