"""What is in a picture and how it lies, as GeNeVA scores it: El-Nouby et al. 2019, Sec. 4.2, and their released code.

Pure functions of what a detector says of N pictures: named [N, C] bool (probability > 0.5), position [N, C, 2], the two
coordinates in which objects are related (x and y, or x and depth). The true labels can stand on either side.
"""

import torch
from torch import Tensor

THRESHOLD = 0.5
"""An object is there when its probability is above this."""
CENTRE = 0.5
"""What the diagonal of a relation matrix compares each object with, in both coordinates."""


def precision(named: Tensor, true: Tensor) -> Tensor:
    """Of the classes named, the share that is true, [N]; 0 where nothing is named. named, true [N, C] bool."""
    return _share((named & true).sum(1), named.sum(1))


def recall(named: Tensor, true: Tensor) -> Tensor:
    """Of the true classes, the share that is named, [N]; 0 where nothing is true. named, true [N, C] bool."""
    return _share((named & true).sum(1), true.sum(1))


def f1(named: Tensor, true: Tensor) -> Tensor:
    """2 |both| / (|named| + |true|), [N]; 0 where both are empty.

    Its mean over pictures is the samples-averaged F1 (scikit-learn's `average="samples"`, `zero_division=0`). The F1 of
    GeNeVA's table is the harmonic mean of the mean precision and the mean recall instead: see `harmonic_mean`.
    """
    return _share(2 * (named & true).sum(1), named.sum(1) + true.sum(1))


def harmonic_mean(precision: float, recall: float) -> float:
    """2 P R / (P + R) of two averages; 0 when both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def relations(position: Tensor) -> Tensor:
    """position [N, C, 2] -> [N, 2, C, C] of -1, 0, 1: how each object (row) lies to each other (column).

    1 where the row's coordinate is the larger, -1 where it is the smaller, 0 where they are equal. On the diagonal the
    object is compared with the centre of the picture.
    """
    places = position.transpose(1, 2)
    matrix = (places.unsqueeze(3) - places.unsqueeze(2)).sign()
    own = (places - CENTRE).sign()
    return matrix.diagonal_scatter(own, dim1=2, dim2=3)


def relational_similarity(named: Tensor, position: Tensor, true: Tensor, true_position: Tensor) -> Tensor:
    """Recall, times the share of equal relations among the n classes that are both named and true, [N].

    Of each such picture 2 n n relations are compared, those on the diagonal among them; without a common class it
    is 0. named, true [N, C] bool; position, true_position [N, C, 2].
    """
    common = named & true
    pairs = (common.unsqueeze(2) & common.unsqueeze(1)).unsqueeze(1)
    equal = (relations(position) == relations(true_position)) & pairs
    matching = _share(equal.sum((1, 2, 3)), 2 * common.sum(1).square())
    return matching * recall(named, true)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, 0 where the whole is 0."""
    return torch.where(whole > 0, part / whole.clamp(min=1), 0.0).float()
