"""How likely a plan makes what was placed."""

from torch import Tensor
from torch.nn import functional as F


def placement_nats(amount: Tensor, cell: Tensor, is_placed: Tensor, in_cell: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihoods, scalars: which classes are placed, per turn; the cell, per object placed.

    amount [N, K] logits, cell [N, K, P] logits, is_placed [N, K] 0 or 1, in_cell [N, K] int64.
    """
    which = F.binary_cross_entropy_with_logits(amount, is_placed, reduction="sum") / len(amount)
    where = F.cross_entropy(cell.flatten(0, 1), in_cell.flatten(), reduction="none").view_as(is_placed)
    return which, (where * is_placed).sum() / is_placed.sum().clamp(min=1)
