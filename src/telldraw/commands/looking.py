"""Networks that look at pictures for others: their features, of any picture, and where the network lies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from telldraw.errors import WeightsError

_TOGETHER = 64


class Looker(NamedTuple):
    """A network and the size of the pictures it takes."""

    features: Callable[[np.ndarray], np.ndarray]  # uint8 [n, C, side, side] -> float32 [n, D]
    side: int
    folder: Path
    card: dict[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        """What a manifest or a card says of the network."""
        return {"network": self.card.get("name", self.folder.name), "system": self.card["system"], "side": self.side}


def load(given: str, device: str = "cpu") -> Looker:
    """The network named: a run, a weights folder or a name, of a system with features. Raises TelldrawError."""
    import torch

    from telldraw import pixels, weights

    folder = weights.find(given)
    loaded = weights.load(folder, device)
    system: Any = loaded.system
    if not hasattr(system, "features"):
        raise WeightsError(
            f"{given} holds {loaded.card['system']}, which has no features; a detector or a classifier is needed"
        )

    @torch.inference_mode()
    def features(images: np.ndarray) -> np.ndarray:
        parts = [images[at : at + _TOGETHER] for at in range(0, len(images), _TOGETHER)]
        seen = [system.features(pixels.to_float(torch.from_numpy(part).to(device))).float().cpu() for part in parts]
        return torch.cat(seen).numpy()

    side = getattr(system.config, "resolution", None) or loaded.card["resolution"]
    return Looker(features, int(side), folder, loaded.card)
