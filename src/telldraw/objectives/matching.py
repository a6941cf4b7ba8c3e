"""Objectives of a discriminator that also asks whether a text fits: matching-aware, as functions of logits [N]."""

from torch import Tensor
from torch.nn import functional as F


def matching_discriminator(
    right: Tensor, fake: Tensor, wrong: Tensor | None = None, wrong_weight: float = 0.5
) -> Tensor:
    """-log s_r - w log(1 - s_w) - (1 - w) log(1 - s_f): Reed et al. 2016, Algorithm 1, whose w is 1/2.

    right: logits of pictures with their texts; fake: of drawings with the texts they were drawn from; wrong: of
    pictures with texts that do not describe them. Without `wrong`: the discriminator of a GAN that is told the text.
    """
    negatives = F.softplus(fake).mean()
    if wrong is not None:
        negatives = (1 - wrong_weight) * negatives + wrong_weight * F.softplus(wrong).mean()
    return F.softplus(-right).mean() + negatives
