"""Adversarial objectives as functions of logits [B]; every result is a scalar, and is minimised.

A logit is what the discriminator, or critic, says of a picture before any sigmoid; sigma(logit) is D(x) of the papers
that have probabilities. `OBJECTIVES` pairs the two players under the name of the pair.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


def minimax_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))): Goodfellow et al. 2014, Eq. 1, negated.

    Least at D = p_data / (p_data + p_G), where it is log 4 - 2 JSD(p_data, p_G): theirs, Prop. 1 and Theorem 1.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def minimax_generator(fake: Tensor) -> Tensor:
    """E log(1 - D(G(z))): Goodfellow et al. 2014, Eq. 1. Its gradient, -D, vanishes where D sees through G."""
    return -F.softplus(fake).mean()


def non_saturating_generator(fake: Tensor) -> Tensor:
    """-E log D(G(z)): Goodfellow et al. 2014, Sec. 3. Its gradient, D - 1, is largest where D sees through G."""
    return F.softplus(-fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2: Mao et al. 2017, Eq. 9; the logits themselves are D."""
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def least_squares_generator(fake: Tensor) -> Tensor:
    """E (D(G(z)) - 1)^2 / 2: Mao et al. 2017, Eq. 9."""
    return 0.5 * (fake - 1).square().mean()


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


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E f(G(z)) - E f(x): Arjovsky et al. 2017, Eq. 3, negated.

    Minus the distance of earth movers, for the best critic f of Lipschitz constant 1. The critic is held to that (or to
    some constant) from outside: `penalties.clip_weights` or `penalties.gradient_penalty`.
    """
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E f(G(z)): Arjovsky et al. 2017, Algorithm 1, line 10."""
    return -fake.mean()


class Objective(NamedTuple):
    """What the two players minimise."""

    discriminator: Callable[[Tensor, Tensor], Tensor]  # (real [B], fake [B]) -> scalar
    generator: Callable[[Tensor], Tensor]  # (fake [B]) -> scalar


OBJECTIVES = {
    "non-saturating": Objective(minimax_discriminator, non_saturating_generator),
    "minimax": Objective(minimax_discriminator, minimax_generator),
    "least-squares": Objective(least_squares_discriminator, least_squares_generator),
    "hinge": Objective(hinge_discriminator, hinge_generator),
    "wasserstein": Objective(wasserstein_discriminator, wasserstein_generator),
}
"""Name -> (discriminator, generator)."""
