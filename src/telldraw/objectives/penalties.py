"""Penalties on the gradient of a critic with respect to its input."""

import torch
from torch import Tensor


def zero_centred_penalty(logits: Tensor, image: Tensor) -> Tensor:
    """E ||grad_x D(x)||^2 on the pictures the logits were computed from: Mescheder et al. 2018, Eq. 9, without the 1/2.

    logits [B], image [B, ...] with requires_grad. The sum over rows is differentiated at once, which is right as long
    as row b of the logits depends on row b of `image` alone (no batch norm in the critic).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean()
