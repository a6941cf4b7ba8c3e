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


def stacked_discriminator(right: Tensor, fake: Tensor, wrong: Tensor, true_alone: Tensor, fake_alone: Tensor) -> Tensor:
    """The mean of what is right, with its text and alone, and of what is not: Zhang et al. 2017, stage II as released.

    right, fake, wrong: as above; true_alone, fake_alone: logits of the pictures and of the drawings without a text.
    """
    positives = (F.softplus(-right).mean() + F.softplus(-true_alone).mean()) / 2
    return positives + (F.softplus(fake).mean() + F.softplus(wrong).mean() + F.softplus(fake_alone).mean()) / 3
