"""Objectives by hand, by closed form and by Monte Carlo."""

import pytest
import torch
from torch import Tensor

from telldraw.objectives.adversarial import hinge_discriminator, hinge_generator
from telldraw.objectives.divergence import gaussian_kl
from telldraw.objectives.penalties import zero_centred_penalty
from telldraw.objectives.reconstruction import balanced_absolute_error


def logits(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, requires_grad=True)


def test_hinge_of_the_discriminator_by_hand() -> None:
    # real: max(0, 1 - 2) = 0, 1 - 0.5 = 0.5, 1 + 1 = 2;   fake: 0, 1 + 0.5 = 1.5
    assert hinge_discriminator(logits(2, 0.5, -1), logits(-3, 0.5)).item() == pytest.approx(2.5 / 3 + 0.75)


def test_with_wrong_pairs_the_negatives_are_averaged() -> None:
    real, fake, wrong = logits(2), logits(0.5, 1.5), logits(3, -2, 0.5)
    expected = 0 + 0.5 * ((1.5 + 2.5) / 2 + (4 + 0 + 1.5) / 3)
    assert hinge_discriminator(real, fake, wrong).item() == pytest.approx(expected)


def test_no_wrong_pairs_is_the_plain_hinge() -> None:
    real, fake = logits(0.2, -0.3), logits(0.4)
    plain = hinge_discriminator(real, fake)
    assert torch.equal(hinge_discriminator(real, fake, torch.zeros(0)), plain)
    assert torch.equal(hinge_discriminator(real, fake, None), plain)


def test_the_players_pull_in_opposite_directions_and_stop_at_the_margin() -> None:
    real, fake, wrong = logits(0.0, 1.5), logits(0.0, -1.5), logits(0.0, -1.5)
    hinge_discriminator(real, fake, wrong).backward()
    assert real.grad is not None and fake.grad is not None and wrong.grad is not None
    torch.testing.assert_close(real.grad, torch.tensor([-0.5, 0.0]))
    torch.testing.assert_close(fake.grad, torch.tensor([0.25, 0.0]))
    torch.testing.assert_close(wrong.grad, torch.tensor([0.25, 0.0]))
    fake = logits(0.0, -1.5)
    loss = hinge_generator(fake)
    loss.backward()
    assert loss.item() == pytest.approx(0.75)
    torch.testing.assert_close(fake.grad, torch.tensor([-0.5, -0.5]))


def test_penalty_of_a_linear_critic_is_the_squared_norm_of_its_weights() -> None:
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 4, 4, generator=rng, requires_grad=True)
    image = torch.randn(5, 3, 4, 4, generator=rng, requires_grad=True)
    penalty = zero_centred_penalty((image * weight).sum((1, 2, 3)), image)
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(weight.grad, 2 * weight.detach())


def test_penalty_of_a_quadratic_critic() -> None:
    """D(x) = a ||x||^2 / 2 has the gradient a x: the penalty is a^2 E ||x||^2, and 2 a E ||x||^2 its slope in a."""
    rng = torch.Generator().manual_seed(1)
    a = torch.tensor(0.7, requires_grad=True)
    image = torch.randn(6, 2, 3, 3, generator=rng, requires_grad=True)
    energy = image.detach().square().flatten(1).sum(1).mean().item()
    penalty = zero_centred_penalty(a * image.square().flatten(1).sum(1) / 2, image)
    assert penalty.item() == pytest.approx(0.49 * energy, rel=1e-5)
    penalty.backward()
    assert a.grad is not None
    assert a.grad.item() == pytest.approx(1.4 * energy, rel=1e-5)


def test_kl_is_zero_at_the_prior_and_positive_elsewhere() -> None:
    assert torch.equal(gaussian_kl(torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2, 3))
    mean, logvar = torch.meshgrid(torch.linspace(-2, 2, 9), torch.linspace(-3, 3, 13), indexing="ij")
    kl = gaussian_kl(mean, logvar)
    assert bool((kl >= 0).all())
    assert int((kl < 1e-6).sum()) == 1


def test_kl_is_that_of_the_distributions() -> None:
    mean, logvar = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.3, -1.2]])
    ours = torch.distributions.Normal(mean, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(torch.zeros(1, 2), torch.ones(1, 2))
    torch.testing.assert_close(gaussian_kl(mean, logvar), torch.distributions.kl_divergence(ours, prior))
    torch.manual_seed(0)
    sample = ours.sample((200_000,))
    estimate = (ours.log_prob(sample) - prior.log_prob(sample)).mean(0)
    torch.testing.assert_close(gaussian_kl(mean, logvar), estimate, rtol=0, atol=0.02)


def test_what_changed_and_what_did_not_count_alike() -> None:
    before = torch.zeros(1, 3, 4, 4)
    true = before.clone()
    true[0, 0, 0, 0] = 1.0  # one pixel in sixteen, in one channel
    assert balanced_absolute_error(true, true, before).item() == 0
    # left as it was: wrong by 1/3 of a channel mean on the changed pixel, right on all others
    assert balanced_absolute_error(before, true, before).item() == pytest.approx(0.5 / 3)
    # wrong everywhere by 0.2: the halves are equal
    assert balanced_absolute_error(true + 0.2, true, before).item() == pytest.approx(0.2)


def test_a_turn_that_changes_nothing_has_half_the_plain_error() -> None:
    before = torch.rand(2, 3, 4, 4)
    assert balanced_absolute_error(before + 0.3, before, before).item() == pytest.approx(0.15)
