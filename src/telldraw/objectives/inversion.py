"""What a code must fulfil to be that of a picture: in-domain inversion (Zhu et al. 2020), as TediGAN uses it."""

from collections.abc import Callable

import torch
from torch import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]
"""Of two batches of pictures [N, C, H, W] in some features: [N]."""


def pixel(image: Tensor, again: Tensor, mask: Tensor | None = None) -> Tensor:
    """||x - G(w)||^2 as a mean over numbers, [N]. image, again [N, C, H, W]; mask [N, 1, H, W], 1 where it counts."""
    square = (image - again).square()
    if mask is None:
        return square.flatten(1).mean(1)
    seen = mask.expand_as(square).flatten(1)
    return (square.flatten(1) * seen).sum(1) / seen.sum(1).clamp(min=1)


def edges_missed(image: Tensor, again: Tensor) -> Tensor:
    """1 - correlation of the differences between neighbouring pixels, [N]: 0, the edges are there; 1, none of them.

    image, again [N, C, H, W]. Of a smooth picture, which a mean square forgives, this asks where its outlines are; how
    strong they are, as after a blur, does not matter.
    """
    centred = []
    for each in (image, again):
        down, right = each[..., 1:, :] - each[..., :-1, :], each[..., 1:] - each[..., :-1]
        steps = torch.cat([down.flatten(1), right.flatten(1)], 1)
        centred.append(steps - steps.mean(1, keepdim=True))
    x, y = centred
    return 1 - (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1)).clamp(min=1e-8)


def instance(
    image: Tensor,
    again: Tensor,
    code: Tensor,
    encoded: Tensor,
    *,
    distance: Distance | None = None,
    weights: tuple[float, float, float] = (1.0, 1.0, 2.0),
    mask: Tensor | None = None,
) -> Tensor:
    """The three terms of instance-level optimisation (Xia et al. 2021, Eq. 4; Zhu et al. 2020, Eq. 5), [N].

        ||x - G(w)||^2 + lambda_1 ||F(x) - F(G(w))||^2 + lambda_2 ||w - E_v(G(w))||^2

    all means over numbers, as in the released code. image x and again = G(w) [N, C, H, W]; code w and encoded =
    E_v(G(w)) [N, L, C]; distance: the middle term, without it there is none; weights: of the three; mask [N, 1, H, W]:
    where the first two look, 1 or 0 (Zhu et al., Sec. 4.3: semantic diffusion).
    """
    first, middle, last = weights
    loss = first * pixel(image, again, mask) + last * (code - encoded).square().flatten(1).mean(1)
    if distance is None or not middle:
        return loss
    if mask is not None:  # what does not count is made the same
        again = torch.where(mask > 0, again, image)
    return loss + middle * distance(image, again)
