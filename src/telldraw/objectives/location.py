"""Naming and locating objects: what a detector's answer costs. Pure functions; C classes, K coordinates."""

import torch
from torch import Tensor
from torch.nn import functional as F


def absent_or_at_one_place(maps: Tensor, present: Tensor, place: Tensor) -> Tensor:
    """-log P of the true answer to "is the object nowhere, or in which cell?" [N, C], in nats.

    maps [N, C, h, w]: a logit for each cell; "nowhere" has the logit 0, and one softmax is over all of these answers.
    So sigmoid(logsumexp(maps)) is the probability that the object is there, and one loss teaches both that and where.
    present [N, C] 0 or 1. place [N, C, 2]: column and row of the object's centre in cells, fractions allowed; it is
    shared among the four cells around it in proportion to their nearness, so that the mean over cells is exact. What
    lies outside the map counts for the nearest cell.
    """
    height, width = maps.shape[-2:]
    flat = maps.flatten(2).float()
    anywhere = flat.logsumexp(2)
    nothing = F.softplus(anywhere)  # -log P(nowhere), and the normaliser of every other answer
    size = torch.tensor([width - 1, height - 1], device=maps.device, dtype=torch.float32)
    place = torch.minimum(place.clamp(min=0), size)
    low = torch.minimum(place.floor(), size - 1)
    far = place - low
    there = torch.zeros_like(nothing)
    for right in (0, 1):
        for down in (0, 1):
            share = (far[..., 0] if right else 1 - far[..., 0]) * (far[..., 1] if down else 1 - far[..., 1])
            cell = (low[..., 1] + down) * width + low[..., 0] + right
            there = there + share * flat.gather(2, cell.long().unsqueeze(2)).squeeze(2)
    return nothing - present * there


def masked_squared_error(position: Tensor, target: Tensor, present: Tensor) -> Tensor:
    """(position - target)^2 summed over the K coordinates, 0 where the object is absent: [N, C].

    position, target [N, C, K]; present [N, C] 0 or 1.
    """
    return present * (position - target).square().sum(-1)


def weighted_binary_cross_entropy(
    probability: Tensor, present: Tensor, weight: Tensor, *, positive: float = 2.0, certainty: float = 0.9
) -> Tensor:
    """The detection loss of GeNeVA's released detector: summed over classes, a mean over pictures; a scalar.

    probability, present [N, C]; weight [C] by class, which they take as the inverse frequency, with sum 1. What is
    there counts `positive` times, and with a target of `certainty` instead of 1 (label smoothing on one side).
    """
    target, tiny = certainty * present, torch.finfo(torch.float64).eps
    found, not_found = (probability + tiny).log(), (1 - probability + tiny).log()
    return -(weight * (positive * target * found + (1 - target) * not_found)).sum(1).mean()
