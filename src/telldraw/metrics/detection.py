"""How good a detector is on true pictures: the ceiling of every score that it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.metrics import scene
from telldraw.protocols import Detector

_AT_ONCE = 128  # pictures


@dataclass
class Quality:
    """Figures of a detector over pictures; shares of 1."""

    pictures: int
    precision: float
    """Mean over pictures."""
    recall: float
    """Likewise."""
    f1_samples: float
    """Likewise: the samples-averaged F1."""
    f1_harmonic: float
    """Harmonic mean of the mean precision and the mean recall."""
    distance: float
    """Mean distance of an object that is found to its true place, x and y as shares of the picture."""
    depth: float | None
    """Mean error of the depth of what is found (0, 0.5, 1), or None where positions have none."""
    classes: dict[str, float] = field(default_factory=dict)
    """F1 of each class, over all pictures: 2 right / (named + there); nan where it is neither."""


@torch.inference_mode()
def measure(
    detector: Detector,
    images: np.ndarray,
    objects: np.ndarray,
    position: np.ndarray,
    rows: Sequence[int],
    *,
    classes: Sequence[str] = (),
    device: torch.device | str = "cpu",
) -> Quality:
    """Compare a detector with the labels at `rows` of a data set's images [., 3, H, W] uint8, objects and position."""
    named, places = [], []
    for at in range(0, len(rows), _AT_ONCE):
        batch = torch.from_numpy(np.stack([images[row] for row in rows[at : at + _AT_ONCE]]))
        found = detector.detect(pixels.to_float(batch.to(device)))
        named.append((found.probability > scene.THRESHOLD).cpu())
        places.append(found.position.float().cpu())
    index = np.asarray(rows)
    true = torch.from_numpy(objects[index] > 0)
    return quality(torch.cat(named), torch.cat(places), true, torch.from_numpy(position[index]), classes)


def quality(
    named: Tensor, position: Tensor, true: Tensor, true_position: Tensor, classes: Sequence[str] = ()
) -> Quality:
    """named, true [N, C] bool; position [N, C, K], true_position [N, C, 3] -> figures."""
    both = named & true
    share = [float(part(named, true).double().mean()) for part in (scene.precision, scene.recall, scene.f1)]
    error = (position - true_position[..., : position.shape[2]])[both]
    counts = zip(both.sum(0).tolist(), (named.sum(0) + true.sum(0)).tolist(), strict=True)
    each = [2 * right / whole if whole else float("nan") for right, whole in counts]
    return Quality(
        pictures=len(named),
        precision=share[0],
        recall=share[1],
        f1_samples=share[2],
        f1_harmonic=scene.harmonic_mean(share[0], share[1]),
        distance=float(error[:, :2].norm(dim=1).mean()) if len(error) else float("nan"),
        depth=float(error[:, 2].abs().mean()) if error.shape[1] > 2 and len(error) else None,
        classes=dict(zip(classes, each, strict=False)),
    )
