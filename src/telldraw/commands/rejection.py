"""What `telldraw generate --reject` needs of a judge: a classifier or a detector of the same classes."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from telldraw.errors import WeightsError
from telldraw.metrics.rejection import candidates, class_score, kept, scene_score

if TYPE_CHECKING:
    from telldraw.weights import Loaded

_TOGETHER = 250


def load_judge(given: str, drawer: "Loaded", device: str) -> "Loaded":
    """The weights that judge. Raises WeightsError where they cannot judge what `drawer` draws."""
    from telldraw import weights
    from telldraw.protocols import Classifier, Detector

    judge = weights.load(weights.find(given), device)
    if not isinstance(judge.system, Classifier | Detector):
        raise WeightsError(
            f"--judge {given} holds {judge.card['system']}, which names nothing; give weights of a classifier or of a "
            "detector"
        )
    for key, what in (("classes", "other classes"), ("resolution", "another resolution")):
        if judge.card.get(key) != drawer.card.get(key):
            raise WeightsError(
                f"--judge {given} was trained on pictures of {what} than {drawer.name}; train one on the same pictures"
            )
    return judge


@torch.inference_mode()
def scores(judge: "Loaded", images: Tensor, label: Tensor | None, device: str) -> Tensor:
    """How sure the judge is that the pictures [N, C, H, W] show their labels [N, K]: [N] nats, at most 0."""
    from telldraw.protocols import Classifier

    system, found = judge.system, []
    for at in range(0, len(images), _TOGETHER):
        part = images[at : at + _TOGETHER].to(device)
        wanted = None if label is None else label[at : at + _TOGETHER].to(device)
        if isinstance(system, Classifier):
            found.append(class_score(system.classify(part), wanted).cpu())
        elif wanted is None:
            raise WeightsError(f"{judge.name} finds objects; it can judge only what was drawn for a label")
        else:
            found.append(scene_score(system.detect(part).probability, wanted).cpu())  # type: ignore[operator]
    return torch.cat(found)


def best(
    draw: Callable[[Tensor | None, int], Tensor],
    judge: "Loaded",
    label: Tensor | None,
    count: int,
    *,
    reject: float,
    device: str,
) -> Tensor:
    """The judge's favourite `count` pictures of those that `draw` makes for labels [M, K] (or None) and a number M."""
    slot = candidates(label, count, reject)
    asked = None if label is None else label[slot.to(label.device)]
    images = draw(asked, len(slot))
    return images[kept(scores(judge, images, asked, device), slot, label, count)]
