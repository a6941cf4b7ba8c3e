"""How often a classifier is right."""

from collections.abc import Callable, Sequence

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
    total = 0.0
    for start in range(0, len(rows), _TOGETHER):
        part = np.asarray(rows[start : start + _TOGETHER])
        logits = classifier.classify(pixels.to_float(torch.from_numpy(images[part])).to(device))
        total += float(measure(logits.cpu(), torch.from_numpy(labels[part])).sum())
        progress(start + len(part))
    return total / len(rows)
