"""Pictures and their captions in one space: what belongs together scores higher than what does not."""

import torch
from torch import Tensor


def joint_embedding(one: Tensor, other: Tensor, same: Tensor | None = None, margin: float = 1.0) -> Tensor:
    """Structured joint embedding loss of N pairs, averaged over all N x N of them (Reed et al., CVPR 2016).

        1 / N^2  sum_i sum_{j != i} max(0, margin + s_ij - s_ii),   s_ij = <one_i, other_j>

    one, other: [N, D], row i of one belonging to row i of the other. same: [N, N] bool, pairs that belong together too
    and are not held apart; the diagonal need not be set.
    """
    scores = one @ other.T
    excess = (margin + scores - scores.diagonal()[:, None]).clamp(min=0)
    together = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    return excess.masked_fill(together if same is None else together | same, 0).sum() / len(scores) ** 2


def symmetric_joint_embedding(one: Tensor, other: Tensor, same: Tensor | None = None, margin: float = 1.0) -> Tensor:
    """Both directions of `joint_embedding`: each of one finds its own of the other, and the reverse."""
    return joint_embedding(one, other, same, margin) + joint_embedding(
        other, one, same if same is None else same.T, margin
    )
