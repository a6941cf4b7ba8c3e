"""How often a classifier is right."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.protocols import Classifier

_TOGETHER = 500


def right(logits: Tensor, label: Tensor) -> Tensor:
    """logits [N, K], label [N, K] of 0 and 1 -> [N]: 1.0 where the highest logit is of a class that is there."""
    return label.gather(1, logits.argmax(1, keepdim=True))[:, 0].float()


def exact(logits: Tensor, label: Tensor) -> Tensor:
    """logits [N, K], label [N, K] of 0 and 1 -> [N]: 1.0 where just the classes that are there are above 1/2."""
    return ((logits > 0) == (label > 0)).all(1).float()


class EachClass(NamedTuple):
    """Figures of K classes, each by itself, of pictures that may show several: float64 [K], shares of 1."""

    there: Tensor
    """Share of the pictures that show it: what to compare the accuracy with (or one minus it)."""
    accuracy: Tensor
    """Share of the pictures that are answered rightly."""
    balanced: Tensor
    """Mean of that share among pictures that show it and among those that do not; 1/2 by guessing. nan without both."""
    f1: Tensor
    """2 right / (found + there); nan where it is neither found nor there."""


def each_class(logits: Tensor, label: Tensor) -> EachClass:
    """logits, label of 0 and 1, both [N, K] -> figures of each class; it is found where its probability is above 1/2.

    Raises ValueError when the two differ in shape or there is no picture.
    """
    if logits.shape != label.shape or logits.dim() != 2 or not len(logits):
        raise ValueError(f"logits and labels [N, K] were expected, not {tuple(logits.shape)} and {tuple(label.shape)}")
    found, there = logits > 0, label > 0
    both, neither = (found & there).sum(0).double(), (~found & ~there).sum(0).double()
    with_it, without = there.sum(0).double(), (~there).sum(0).double()
    return EachClass(
        there=with_it / len(label),
        accuracy=(both + neither) / len(label),
        balanced=(both / with_it + neither / without) / 2,
        f1=2 * both / (found.sum(0) + with_it),
    )


@torch.inference_mode()
def logits_of(
    classifier: Classifier,
    images: np.ndarray,
    rows: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """What a classifier says of some of the pictures, uint8 [., C, H, W] -> [N, K] float32 on the processor."""
    parts = []
    for start in range(0, len(rows), _TOGETHER):
        part = np.asarray(rows[start : start + _TOGETHER])
        parts.append(classifier.classify(pixels.to_float(torch.from_numpy(images[part])).to(device)).float().cpu())
        progress(start + len(part))
    return torch.cat(parts)


@torch.inference_mode()
def accuracy(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    rows: Sequence[int],
    *,
    measure: Callable[[Tensor, Tensor], Tensor] = right,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> float:
    """Share of the pictures, uint8 [N, C, H, W], whose likeliest class is (one of) theirs; labels [N, K].

    `measure`: `right`, or `exact` for the share all of whose classes are found and no other.
    """
    logits = logits_of(classifier, images, rows, device=device, progress=progress)
    return float(measure(logits, torch.from_numpy(labels[np.asarray(rows)])).double().mean())
