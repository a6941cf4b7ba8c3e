"""How far the code of a text is from that of its picture: visual-linguistic similarity (Xia et al. 2021, Sec. 3.2)."""

from typing import Literal

from torch import Tensor

Reduction = Literal["per-layer", "paper"]


def visual_linguistic(visual: Tensor, linguistic: Tensor, share: Tensor, reduction: Reduction = "per-layer") -> Tensor:
    """E sum_i p_i ||w^v_i - w^l_i||^2 / C, or as the paper has it E ||sum_i p_i (w^v_i - w^l_i)||^2 / C.

    visual, linguistic: codes [N, L, C] of pictures and of their texts; share: p [L], how much each layer counts. In the
    paper's form the norm is outside the sum, so that differences of two layers can cancel; "per-layer" cannot.
    """
    apart = share.view(1, -1, 1) * (visual - linguistic)
    if reduction == "paper":
        return apart.sum(1).square().mean(1).mean()
    return (apart * (visual - linguistic)).mean(2).sum(1).mean()
