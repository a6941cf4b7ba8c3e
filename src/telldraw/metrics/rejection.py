"""Classifier rejection sampling: draw more than is wanted, keep what a judge is surest of. Pure functions of tensors.

Razavi et al. 2019 (VQ-VAE-2), Sec. 3.3: a classifier trained on true pictures scores each drawing by how likely it
finds the class that was asked for; a drawing that scores badly is probably a bad one. What is kept is nearer to the
label and less varied, so a figure of both belongs to it.
"""

import math

import torch
from torch import Tensor


def class_score(logits: Tensor, label: Tensor | None) -> Tensor:
    """log of the probability of the class asked for, or of the likeliest one: logits, label [N, K] -> [N]."""
    each = logits.double().log_softmax(1)
    return each.max(1).values if label is None else (each * label).sum(1)


def scene_score(probability: Tensor, label: Tensor) -> Tensor:
    """log of a detector's probability that a picture shows exactly what was asked for: both [N, K] -> [N], at most 0.

    Classes are taken as independent: sum of log p over those asked for, and of log(1 - p) over all others.
    """
    likely = probability.double().clamp(1e-6, 1 - 1e-6)
    return torch.where(label > 0.5, likely.log(), (1 - likely).log()).sum(1)


def candidates(label: Tensor | None, count: int, reject: float) -> Tensor:
    """Which of `count` wanted pictures each drawing may become: [M] int64, drawings of one label together.

    label [count, K] or None; so many drawings of each label that `reject` of them (0 to less than 1) will be left out.
    """
    groups = (
        torch.zeros(count, dtype=torch.long) if label is None else label.cpu().unique(dim=0, return_inverse=True)[1]
    )
    found = []
    for group in groups.unique():
        slots = (groups == group).nonzero()[:, 0]
        total = math.ceil(len(slots) / (1 - reject) - 1e-9)
        found.append(slots[torch.arange(total) % len(slots)])
    return torch.cat(found)


def kept(score: Tensor, slot: Tensor, label: Tensor | None, count: int) -> Tensor:
    """The drawing to keep for each wanted picture, [count]: score [M], slot [M] as `candidates` gives them.

    Of the drawings of one label as many as wanted, the best of them first.
    """
    groups = (
        torch.zeros(count, dtype=torch.long) if label is None else label.cpu().unique(dim=0, return_inverse=True)[1]
    )
    chosen = torch.full((count,), -1)
    for group in groups.unique():
        slots = (groups == group).nonzero()[:, 0]
        drawn = (groups[slot] == group).nonzero()[:, 0]
        best = score[drawn].sort(descending=True, stable=True).indices[: len(slots)]
        chosen[slots] = drawn[best]
    return chosen
