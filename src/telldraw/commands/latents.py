"""Latents as places: the ways between two of them, and pictures of many."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_TOGETHER = 64


@torch.inference_mode()
def pictures(system: Any, z: Tensor, label: Tensor | None = None) -> Tensor:
    """z [N, noise_dim], label [N, label_dim] -> [N, C, H, W] in [-1, 1] on the CPU, some at a time."""
    parts = [
        system.generate(z[at : at + _TOGETHER], None if label is None else label[at : at + _TOGETHER]).cpu()
        for at in range(0, len(z), _TOGETHER)
    ]
    return torch.cat(parts)


def truncate(system: Any, psi: float) -> bool:
    """Let `generate` draw with this truncation; False where the system has none. 1 is no truncation."""
    if not hasattr(system, "truncation"):
        return False
    system.truncation = psi
    return True


def linear(start: Tensor, end: Tensor, share: float) -> Tensor:
    """(1 - share) start + share end: Radford et al. 2016, Sec. 6.1."""
    return torch.lerp(start, end, share)


def spherical(start: Tensor, end: Tensor, share: float) -> Tensor:
    """[N, Z], [N, Z] -> [N, Z] along the great circle: White 2016 (arXiv:1609.04468), Sec. 2.1.

    The mean of two normal latents is shorter than both, as hardly any latent is that was trained on; this one is not.
    Where the two point the same or opposite ways there is no one circle, and the way is straight.
    """
    cos = torch.nn.functional.cosine_similarity(start, end, dim=1).clamp(-1, 1).unsqueeze(1)
    angle = cos.acos()
    curved = (((1 - share) * angle).sin() * start + (share * angle).sin() * end) / angle.sin()
    return torch.where(cos.abs() < 1 - 1e-6, curved, linear(start, end, share))


WAYS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {"spherical": spherical, "linear": linear}
"""Name -> (start [N, Z], end [N, Z], share of the way) -> [N, Z]."""


def walk(start: Tensor, end: Tensor, steps: int, way: str) -> Tensor:
    """[N, Z], [N, Z] -> [N, steps, Z]: both ends and what lies between, evenly."""
    shares = torch.linspace(0, 1, steps).tolist()
    return torch.stack([WAYS[way](start, end, share) for share in shares], dim=1)
