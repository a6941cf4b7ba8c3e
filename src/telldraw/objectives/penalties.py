"""What holds a critic to a slope: penalties on its gradient with respect to its input, and clipping of its weights."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def zero_centred_penalty(logits: Tensor, image: Tensor) -> Tensor:
    """E ||grad_x D(x)||^2 on the pictures the logits were computed from: Mescheder et al. 2018, Eq. 9, without the 1/2.

    Real pictures make it their R1, drawn ones (detached) their R2. logits [B], image [B, ...] with requires_grad. The
    sum over rows is differentiated at once, which is right as long as row b of the logits depends on row b of `image`
    alone (no batch norm in the critic).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator | None = None,
    *,
    eps: Tensor | None = None,
) -> Tensor:
    """E (||grad_x f(x)||_2 - 1)^2 at x = eps real + (1 - eps) fake: Gulrajani et al. 2017, Eq. 3, without lambda.

    The norm is over all axes but the first: one number for each picture. critic: pictures -> logits [B], row by row
    (no batch norm). real, fake [B, ...]; eps [B] in [0, 1], drawn by `generator` (else torch's own) if not given.
    """
    if eps is None:
        eps = torch.rand(len(real), generator=generator, device=real.device)
    eps = eps.to(real.dtype).view(-1, *[1] * (real.dim() - 1))
    between = torch.lerp(fake.detach(), real.detach(), eps).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.float().flatten(1).norm(dim=1) - 1).square().mean()


def path_lengths(image: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
    """||J^T y|| with J = d image / d w, y ~ N(0, I): how far a picture moves with its code: Karras et al. 2020, Eq. 4.

    image [N, C, H, W] made of w [N, L, D], which requires a gradient; noise like image, ~ N(0, 1), drawn if not given.
    Returns [N], differentiable: the root of the mean over the layers of the squared norms, as in their code, with y
    divided by sqrt(H W), so that it does not grow with the picture.
    """
    y = (torch.randn_like(image) if noise is None else noise) / math.sqrt(image.shape[2] * image.shape[3])
    (gradient,) = torch.autograd.grad((image * y).sum(), w, create_graph=True)
    return gradient.float().square().sum(2).mean(1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor) -> Tensor:
    """E (||J^T y|| - a)^2: Karras et al. 2020, Eq. 4. lengths [N]; mean, a, is their moving average, a constant."""
    return (lengths - mean.detach()).square().mean()


@torch.no_grad()
def clip_weights(weights: Iterable[Tensor], bound: float = 0.01) -> None:
    """Put every weight into [-bound, bound], in place: Arjovsky et al. 2017, Algorithm 1, line 7 (theirs: 0.01)."""
    for weight in weights:
        weight.clamp_(-bound, bound)
