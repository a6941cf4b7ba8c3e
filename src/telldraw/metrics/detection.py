"""A detector at work: what it says of drawings, picture by picture, and how good it is on true pictures itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.errors import WeightsError
from telldraw.metrics import AGAINST, scene
from telldraw.protocols import Detector

_AT_ONCE = 128  # pictures
COORDINATES = ("x", "y", "depth")


@torch.inference_mode()
def detect(detector: Detector, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """pictures [N, 3, H, W] in [-1, 1] -> named [N, C] bool, position [N, C, K], some pictures at a time."""
    found = [detector.detect(part) for part in pictures.split(_AT_ONCE)]
    named = torch.cat([each.probability for each in found]) > scene.THRESHOLD
    return named, torch.cat([each.position for each in found]).float()


class SceneScorer:
    """GeNeVA's scores as a scorer of `metrics.evaluation`: figures [N] by name (`metrics.METRICS`)."""

    def __init__(self, detector: Detector, axes: Sequence[str]) -> None:
        """`axes` are the two coordinates in which objects are related, of `COORDINATES`."""
        self.detector, self.axes = detector, [COORDINATES.index(axis) for axis in axes]
        self._true: tuple[Tensor, tuple[Tensor, Tensor]] | None = None

    def __call__(self, drawn: Tensor, true: Tensor, objects: Tensor, position: Tensor) -> dict[str, Tensor]:
        """Compare what is found in `drawn` with what is found in `true`, and with the labels.

        drawn, true [N, 3, H, W] in [-1, 1], objects [N, C], position [N, C, 3] -> figures [N] by name.
        """
        if self._true is None or self._true[0] is not true:  # every row of the table has the same true pictures
            self._true = true, self._look(true)
        of_true = self._true[1]
        named, place = of_true if drawn is true else self._look(drawn)
        figures: dict[str, Tensor] = {}
        for ending, (there, where) in zip(AGAINST, (of_true, (objects > 0, position[..., self.axes])), strict=True):
            figures[f"object_precision{ending}"] = scene.precision(named, there)
            figures[f"object_recall{ending}"] = scene.recall(named, there)
            figures[f"object_f1{ending}"] = scene.f1(named, there)
            figures[f"relations{ending}"] = scene.relational_similarity(named, place, there, where)
        return figures

    def _look(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        named, position = detect(self.detector, pictures)
        if position.shape[2] <= max(self.axes):
            raise WeightsError(f"the detector does not say {COORDINATES[max(self.axes)]}, by which the data is scored")
        return named, position[..., self.axes]


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
    answers = []
    for at in range(0, len(rows), _AT_ONCE):
        batch = torch.from_numpy(np.stack([images[row] for row in rows[at : at + _AT_ONCE]]))
        answers.append([part.cpu() for part in detect(detector, pixels.to_float(batch.to(device)))])
    named, places = (torch.cat(parts) for parts in zip(*answers, strict=True))
    index = np.asarray(rows)
    true = torch.from_numpy(objects[index] > 0)
    return quality(named, places, true, torch.from_numpy(position[index]), classes)


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
