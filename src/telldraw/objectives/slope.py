"""D's slope at true pictures, held down lazily: R1 (Mescheder et al. 2018) every so many steps (Karras et al. 2020)."""

from torch import Tensor

from telldraw.errors import TrainingError
from telldraw.objectives.penalties import zero_centred_penalty


def check_slope(r1: float, every: int, normed: str) -> None:
    """Raise TrainingError where D's norms mix the slopes of pictures, or `every` is no number of steps."""
    if r1 and normed == "batch":
        needed = "--config.discriminator-norm layer, and no stems"
        raise TrainingError(f"--config.r1 {r1}: batch norm mixes the slopes of pictures; give {needed}")
    if every < 1:
        raise TrainingError(f"--config.r1-every {every}: at least 1 is needed")


def slope_is_due(r1: float, every: int, step: int) -> bool:
    """Whether the step, counted from 0, takes the penalty."""
    return r1 > 0 and step % every == 0


def slope_penalty(logits: Tensor, image: Tensor, r1: float, every: int) -> Tensor:
    """gamma / 2 E ||grad_x D(x)||^2, `every` times, because the steps between take none.

    logits [N] of the pictures `image` [N, C, H, W], which require a gradient; gamma is `r1`.
    """
    return 0.5 * r1 * every * zero_centred_penalty(logits, image)
