"""Objectives by hand, by closed form and by Monte Carlo."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from telldraw.objectives.adversarial import (
    OBJECTIVES,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
    wasserstein_discriminator,
    wasserstein_generator,
)
from telldraw.objectives.divergence import gaussian_kl, jensen_shannon
from telldraw.objectives.penalties import clip_weights, gradient_penalty, zero_centred_penalty
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


# Two known distributions: `real` and `fake` list outcomes as often as they are probable, so a batch mean is exact.

EIGHTHS = st.lists(st.integers(0, 7), min_size=8, max_size=8)


def shares(outcomes: list[int]) -> Tensor:
    return torch.bincount(torch.tensor(outcomes), minlength=8).double() / len(outcomes)


def best_logits(p: Tensor, q: Tensor) -> Tensor:
    """log p / q, as far as a double's sigmoid can tell."""
    return (p.log() - q.log()).nan_to_num(0.0, 40.0, -40.0)


def test_constants_of_a_discriminator_that_knows_nothing() -> None:
    """At the optimum of the game D = 1/2 everywhere."""
    nothing = logits(0, 0, 0)
    assert minimax_discriminator(nothing, nothing).item() == pytest.approx(math.log(4))
    assert minimax_generator(nothing).item() == pytest.approx(-math.log(2))
    assert non_saturating_generator(nothing).item() == pytest.approx(math.log(2))
    half = logits(0.5, 0.5)
    assert least_squares_discriminator(half, half).item() == pytest.approx(1 / 4)
    assert least_squares_generator(half).item() == pytest.approx(1 / 8)
    assert hinge_discriminator(nothing, nothing).item() == pytest.approx(2)
    assert wasserstein_discriminator(nothing, nothing).item() == 0


def test_minimax_by_hand() -> None:
    """Logits of log 3 and log 4: D = 3/4 and 4/5."""
    real, fake = logits(math.log(3), -math.log(3)), logits(math.log(4))
    expected = -(math.log(3 / 4) + math.log(1 / 4)) / 2 - math.log(1 / 5)
    assert minimax_discriminator(real, fake).item() == pytest.approx(expected)
    assert minimax_generator(fake).item() == pytest.approx(math.log(1 / 5))
    assert non_saturating_generator(fake).item() == pytest.approx(-math.log(4 / 5))


def test_logits_far_out_keep_finite_losses_and_gradients() -> None:
    real, fake = logits(-1e4), logits(1e4)
    loss = minimax_discriminator(real, fake) + non_saturating_generator(-fake)
    loss.backward()
    assert loss.item() == pytest.approx(3e4)
    assert real.grad is not None and real.grad.item() == pytest.approx(-1)


@given(EIGHTHS, EIGHTHS)
def test_the_optimal_discriminator_is_p_over_p_plus_q_and_its_value_2_jsd_minus_log_4(
    real: list[int], fake: list[int]
) -> None:
    p, q = shares(real), shares(fake)
    best = best_logits(p, q)
    value = -minimax_discriminator(best[real], best[fake])
    assert value.item() == pytest.approx(2 * jensen_shannon(p, q).item() - math.log(4), abs=1e-9)
    better = best + torch.randn(8, dtype=torch.float64, generator=torch.Generator().manual_seed(len(set(real))))
    assert -minimax_discriminator(better[real], better[fake]) <= value + 1e-12


@settings(max_examples=25)
@given(EIGHTHS, EIGHTHS)
def test_descent_finds_the_optimal_discriminator(real: list[int], fake: list[int]) -> None:
    """One logit for each outcome, moved by Newton's method where both kinds occur; sigma of it becomes p / (p + q)."""
    p, q = shares(real), shares(fake)
    both = (p > 0) & (q > 0)
    table = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    for _ in range(30):
        (slope,) = torch.autograd.grad(minimax_discriminator(table[real], table[fake]), table)
        d = table.detach().sigmoid()
        with torch.no_grad():
            table -= torch.where(both, slope / ((p + q) * d * (1 - d)).clamp(min=1e-9), 0)
    torch.testing.assert_close(table.detach().sigmoid()[both], (p / (p + q))[both])


def test_the_value_of_two_gaussians_by_numerical_integration() -> None:
    """N(0, 1) and N(2, 1/4) on a grid: the value at D* is 2 JSD - log 4, and JSD that of Monte Carlo."""
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    cell = (x[1] - x[0]).item()
    one, two = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(2.0, 0.5)
    logp, logq = one.log_prob(x), two.log_prob(x)
    p, q = logp.exp(), logq.exp()
    best = logp - logq
    value = cell * sum(
        share * -minimax_discriminator(logit, logit.new_full((1,), -1e9)).item()
        + other * -minimax_discriminator(logit.new_full((1,), 1e9), logit).item()
        for share, other, logit in zip(p.tolist(), q.tolist(), best.split(1), strict=True)
    )
    jsd = jensen_shannon(p, q, cell).item()
    assert value == pytest.approx(2 * jsd - math.log(4), abs=1e-6)
    torch.manual_seed(0)
    a, b = one.sample((400_000,)).double(), two.sample((400_000,)).double()
    drawn = -minimax_discriminator(one.log_prob(a) - two.log_prob(a), one.log_prob(b) - two.log_prob(b)).item()
    assert drawn == pytest.approx(2 * jsd - math.log(4), abs=5e-3)


def test_jensen_shannon_has_its_bounds() -> None:
    p, q = torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.3, 0.7])
    assert jensen_shannon(p, p).item() == 0
    assert jensen_shannon(p, q).item() == pytest.approx(math.log(2))
    # half of the mass is shared: m = (1/4, 1/2, 1/4), each KL is log(2) / 2
    assert jensen_shannon(torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.0, 0.5, 0.5])).item() == pytest.approx(
        math.log(2) / 2
    )


@given(EIGHTHS, EIGHTHS)
def test_the_best_squares_and_the_best_hinge(real: list[int], fake: list[int]) -> None:
    """Least squares is least at p / (p + q) too, with pq / (2 (p + q)); hinge at sign(p - q), with 2 min(p, q)."""
    p, q = shares(real), shares(fake)
    best = (p / (p + q)).nan_to_num(0.5)
    least = least_squares_discriminator(best[real], best[fake]).item()
    assert least == pytest.approx((0.5 * p * q / (p + q)).nan_to_num(0).sum().item())
    sides = (p - q).sign()
    hinge = hinge_discriminator(sides[real], sides[fake]).item()
    assert hinge == pytest.approx(2 * torch.minimum(p, q).sum().item())
    other = torch.randn(8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert least_squares_discriminator(other[real], other[fake]).item() >= least - 1e-12
    assert hinge_discriminator(other[real], other[fake]).item() >= hinge - 1e-12


def test_wasserstein_of_a_shift_is_the_shift() -> None:
    """The best critic of Lipschitz constant 1 between x and x + 3 is f(x) = -x; none in [-1, 1] slope does better."""
    x = torch.linspace(-1, 1, 11)
    assert wasserstein_discriminator(-x, -(x + 3)).item() == pytest.approx(-3)
    assert wasserstein_discriminator((-x).sin(), (-(x + 3)).sin()).item() > -3
    assert wasserstein_generator(-(x + 3)).item() == pytest.approx(3)


def test_saturating_gradients_vanish_where_the_others_do_not() -> None:
    """At D(G(z)) = 1e-4 the slopes in the logit are -1e-4 and -(1 - 1e-4): Goodfellow et al. 2014, Sec. 3."""
    logit = math.log(1e-4 / (1 - 1e-4))
    slopes = {}
    for name, objective in OBJECTIVES.items():
        fake = logits(logit)
        objective.generator(fake).backward()
        assert fake.grad is not None
        slopes[name] = fake.grad.item()
    assert slopes["minimax"] == pytest.approx(-1e-4, rel=1e-3)
    assert slopes["non-saturating"] == pytest.approx(-(1 - 1e-4), rel=1e-6)
    assert slopes["hinge"] == slopes["wasserstein"] == -1
    assert slopes["least-squares"] == pytest.approx(logit - 1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_players_of_every_pair_pull_in_opposite_directions(name: str) -> None:
    objective = OBJECTIVES[name]
    real, fake, drawn = logits(0.3), logits(0.4), logits(0.4)
    objective.discriminator(real, fake).backward()
    objective.generator(drawn).backward()
    assert real.grad is not None and fake.grad is not None and drawn.grad is not None
    assert real.grad.item() < 0 < fake.grad.item()
    assert drawn.grad.item() < 0


def test_gradient_penalty_takes_the_norm_over_all_but_the_batch() -> None:
    """f(x) = sum x on 3 x 8 x 8 has 192 slopes of 1: (sqrt(192) - 1)^2, whatever the pictures."""
    real, fake = torch.randn(5, 3, 8, 8), torch.randn(5, 3, 8, 8)
    penalty = gradient_penalty(lambda x: x.sum((1, 2, 3)), real, fake)
    assert penalty.item() == pytest.approx((math.sqrt(192) - 1) ** 2, rel=1e-5)


def test_gradient_penalty_lies_between_the_pictures_and_teaches_the_critic() -> None:
    """f(x) = a ||x||^2 / 2 has slope a ||x||: E (a ||x_eps|| - 1)^2, with slope E 2 ||x|| (a ||x|| - 1) in a."""
    rng = torch.Generator().manual_seed(2)
    real, fake = torch.randn(6, 2, 3, 3, generator=rng), torch.randn(6, 2, 3, 3, generator=rng)
    eps = torch.tensor([0.0, 1.0, 0.5, 0.2, 0.8, 0.3])
    a = torch.tensor(0.7, requires_grad=True)
    penalty = gradient_penalty(lambda x: a * x.square().flatten(1).sum(1) / 2, real, fake, eps=eps)
    norms = (eps.view(-1, 1, 1, 1) * real + (1 - eps.view(-1, 1, 1, 1)) * fake).flatten(1).norm(dim=1)
    assert penalty.item() == pytest.approx((0.7 * norms - 1).square().mean().item(), rel=1e-5)
    penalty.backward()
    assert a.grad is not None
    assert a.grad.item() == pytest.approx((2 * norms * (0.7 * norms - 1)).mean().item(), rel=1e-4)


def test_gradient_penalty_is_repeatable_and_finite_where_the_critic_is_flat() -> None:
    real, fake = torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    bend = torch.ones((), requires_grad=True)

    def curved(x: Tensor) -> Tensor:
        return bend * x.pow(3).flatten(1).sum(1)

    once, again = (gradient_penalty(curved, real, fake, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(once, again)
    flat = gradient_penalty(curved, torch.zeros(3, 1, 4, 4), torch.zeros(3, 1, 4, 4))
    flat.backward()
    assert flat.item() == 1
    assert bend.grad is not None and bool(bend.grad.isfinite())


def test_clipping_puts_weights_into_the_box_in_place() -> None:
    layer = torch.nn.Linear(40, 40)
    inside = layer.weight.detach().abs() < 0.01
    before = layer.weight.detach().clone()
    clip_weights(layer.parameters(), 0.01)
    assert bool((layer.weight.abs() <= 0.01).all()) and bool((layer.bias.abs() <= 0.01).all())
    assert torch.equal(layer.weight[inside], before[inside])
    assert torch.equal(layer.weight.detach().sign(), before.sign())


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
