"""Adversarial objectives as functions of logits [B]; every result is a scalar."""

from torch import Tensor
from torch.nn import functional as F


def hinge_discriminator(real: Tensor, fake: Tensor, wrong: Tensor | None = None) -> Tensor:
    """E max(0, 1 - D(x, h)) + E max(0, 1 + D(fake, h)): Lim & Ye 2017; Miyato et al. 2018, Eq. 16.

    With `wrong` (real pictures beside an instruction that is not theirs) the second term is the mean of the two
    kinds of negatives: El-Nouby et al. 2019, Sec. 3.2, after Reed et al. 2016, Algorithm 1.
    """
    negatives = F.relu(1 + fake).mean()
    if wrong is not None and len(wrong):
        negatives = 0.5 * (negatives + F.relu(1 + wrong).mean())
    return F.relu(1 - real).mean() + negatives


def hinge_generator(fake: Tensor) -> Tensor:
    """-E D(fake, h): Lim & Ye 2017; Miyato et al. 2018, Eq. 17."""
    return -fake.mean()
