"""The variational autoencoder: its bound beside closed forms, the floor of its variance, gradients, training."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pictures_like import make_pictures
from telldraw import systems
from telldraw.batches import PictureFacts, Pictures
from telldraw.cli import main
from telldraw.errors import TrainingError
from telldraw.metrics.likelihood import importance_weighted_bound
from telldraw.objectives.divergence import gaussian_kl
from telldraw.objectives.likelihood import bernoulli_log_likelihood, floored_variance, gaussian_log_likelihood
from telldraw.training.update import Update

vae = systems.load("vae")
TINY = vae.PRESETS["tiny"]
FACTS = PictureFacts("bars", "CC0 1.0", 8, 1, ())


def batch(count: int = 16, *, channels: int = 1, seed: int = 0) -> Pictures:
    rng = torch.Generator().manual_seed(seed)
    return Pictures(torch.rand(count, channels, 8, 8, generator=rng) * 2 - 1, torch.zeros(count, 0))


def built(**changes: Any) -> Any:
    torch.manual_seed(0)
    return vae.System(replace(TINY, **changes))


def trained(system: Any, data: Pictures, steps: int) -> Update:
    torch.manual_seed(1)
    update = Update(system.optimizers())
    for _ in range(steps):
        system.training_step(data, update)
        update.step += 1
    return update


# The likelihoods


def test_both_likelihoods_are_those_of_the_distributions() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, x = torch.randn(3, 2, 4, 4, generator=rng), torch.rand(3, 2, 4, 4, generator=rng)
    black_or_white = (x > 0.5).float()
    expected = torch.distributions.Bernoulli(logits=logits).log_prob(black_or_white).sum((1, 2, 3))
    torch.testing.assert_close(bernoulli_log_likelihood(logits, black_or_white), expected)
    variance = 0.1 + x
    expected = torch.distributions.Normal(logits, variance.sqrt()).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(gaussian_log_likelihood(logits, variance, x), expected)


def test_one_picture_is_compared_with_many_decodings() -> None:
    x = torch.rand(3, 1, 4, 4)
    logits = torch.randn(5, 3, 1, 4, 4)
    many = bernoulli_log_likelihood(logits, x)
    assert many.shape == (5, 3)
    torch.testing.assert_close(many[4], bernoulli_log_likelihood(logits[4], x))
    one_variance = gaussian_log_likelihood(logits, torch.tensor(0.3), x)
    torch.testing.assert_close(one_variance[2], gaussian_log_likelihood(logits[2], torch.full_like(x, 0.3), x))


def test_the_floor_holds_and_the_rest_is_free() -> None:
    raw = torch.tensor([-1e4, -20.0, 0.0, 30.0])
    torch.testing.assert_close(floored_variance(raw, 1e-3), torch.tensor([1e-3, 1e-3, 1e-3 + math.log(2), 30.001]))


def test_a_floor_bounds_what_constant_pixels_can_be_worth() -> None:
    """Every picture is the same: without a floor the density and its gradients grow without end."""
    constant = Pictures(torch.full((16, 1, 8, 8), -0.5), torch.zeros(16, 0))
    best = {}
    for floor in (1e-2, 1e-3):
        system = built(decoder="gaussian", variance="pixel", variance_floor=floor, rate=1e-2)
        update = trained(system, constant, 600)
        ceiling = 32 * math.log(1 / (2 * math.pi * floor))
        assert -update.losses["reconstruction"].item() <= ceiling
        best[floor] = -update.losses["reconstruction"].item() / ceiling
        assert all(bool(weight.isfinite().all()) for weight in system.parameters())
    assert best[1e-2] > 0.8  # and it is nearly reached


@pytest.mark.parametrize("variance", ["shared", "pixel"])
def test_a_learned_variance_becomes_the_error_of_the_mean(variance: str) -> None:
    """For a fixed mean the likeliest variance is the mean squared error (Rybkin et al. 2021, Eq. 9)."""
    torch.manual_seed(0)
    noise = Pictures((0.2 * torch.randn(512, 1, 8, 8)).clamp(-1, 1), torch.zeros(512, 0))
    system = built(decoder="gaussian", variance=variance, latents=1, rate=1e-2)
    trained(system, noise, 300)
    logits, raw = system.decoder(system.encode(noise.image))
    raw = system.spread if raw is None else raw
    found = floored_variance(raw, system.config.variance_floor).mean().item()
    assert found == pytest.approx(((noise.image + 1) / 2 - logits.sigmoid()).square().mean().item(), rel=0.1)


def test_a_fixed_variance_is_no_weight() -> None:
    system = built(decoder="gaussian", variance="fixed", fixed_variance=0.04)
    assert system.spread is None
    x = batch().image
    weights = system.log_weights(x, torch.zeros(1, 16, 3))
    logits, raw = system.decoder(system.encode(x))
    assert raw is None
    error = ((x + 1) / 2 - logits.sigmoid()).square().sum((1, 2, 3)) / 0.04
    mean, logvar = system.encoder((x + 1) / 2)
    expected = -0.5 * (error + 64 * math.log(2 * math.pi * 0.04)) + 0.5 * (logvar - mean.square()).sum(1)
    torch.testing.assert_close(weights[0], expected)


# The bound


def test_the_closed_form_of_the_kl_is_what_sampling_gives() -> None:
    """At z = mu + sigma epsilon, log q(z | x) - log p(z) has the KL as its mean: -log w without log p(x | z)."""
    system = built()
    x = batch(4).image
    mean, logvar = (3 * part for part in system.encoder((x + 1) / 2))
    noise = torch.randn(100_000, 4, 3, generator=torch.Generator().manual_seed(0))
    z = mean + (0.5 * logvar).exp() * noise
    posterior, prior = torch.distributions.Normal(mean, (0.5 * logvar).exp()), torch.distributions.Normal(0.0, 1.0)
    sampled = (posterior.log_prob(z) - prior.log_prob(z)).sum(2).mean(0)
    torch.testing.assert_close(gaussian_kl(mean, logvar).sum(1), sampled, rtol=0.01, atol=0.01)


def test_log_weights_are_made_of_the_three_densities() -> None:
    system = built(beta=4.0)  # which changes training, not the figures
    x = batch(5).image
    noise = torch.randn(7, 5, 3, generator=torch.Generator().manual_seed(0))
    mean, logvar = system.encoder((x + 1) / 2)
    posterior, prior = torch.distributions.Normal(mean, (0.5 * logvar).exp()), torch.distributions.Normal(0.0, 1.0)
    for k, epsilon in enumerate(noise):
        z = mean + (0.5 * logvar).exp() * epsilon
        pixels = bernoulli_log_likelihood(system.decoder(z)[0], (x + 1) / 2)
        expected = pixels + prior.log_prob(z).sum(1) - posterior.log_prob(z).sum(1)
        torch.testing.assert_close(system.log_weights(x, noise)[k], expected)


class Linear(nn.Module):
    """A decoder whose mean is W z + b for pixels in [0, 1], as logits, because the system takes their sigmoid."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, z: Tensor) -> tuple[Tensor, None]:
        return (z @ self.weight.T + self.bias).logit().view(-1, 1, 2, 2), None


class Fixed(nn.Module):
    """An encoder that knows the exact posterior of the linear case, or one that is too wide, or shifted."""

    def __init__(self, weight: Tensor, bias: Tensor, variance: float, wider: float) -> None:
        super().__init__()
        self.weight, self.bias, self.variance, self.wider = weight, bias, variance, wider
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        precision = 1 + (self.weight.square().sum() / self.variance)
        mean = (x.flatten(1) - self.bias) @ self.weight / self.variance / precision + self.shift
        return mean, (self.wider / precision).log().expand_as(mean)


def linear_gaussian(wider: float) -> tuple[Any, Tensor, Tensor]:
    """p(x | z) = N(W z + b, 0.01 I) with one z: then p(x) = N(b, W W' + 0.01 I). -> system, pictures, log p(x)."""
    weight, bias = torch.tensor([[0.03], [-0.02], [0.04], [0.01]]), torch.tensor([0.5, 0.4, 0.6, 0.5])
    config = replace(TINY, resolution=2, latents=1, decoder="gaussian", variance="fixed", fixed_variance=0.01)
    system = vae.System(config)
    system.decoder, system.encoder = Linear(weight, bias), Fixed(weight, bias, 0.01, wider)
    covariance = weight @ weight.T + 0.01 * torch.eye(4)
    density = torch.distributions.MultivariateNormal(bias, covariance)
    x = density.sample((64,))
    return system, 2 * x.view(64, 1, 2, 2) - 1, density.log_prob(x)


def test_the_exact_posterior_makes_the_bound_log_p_of_x() -> None:
    torch.manual_seed(0)
    system, images, exact = linear_gaussian(wider=1.0)
    weights = system.log_weights(images, torch.randn(3, 64, 1))
    torch.testing.assert_close(weights, exact.expand(3, 64), rtol=1e-4, atol=1e-3)  # every z gives p(x) itself
    torch.testing.assert_close(system.log_likelihood(images), exact, rtol=1e-4, atol=1e-3)


def test_elbo_and_importance_weighted_bounds_are_ordered_below_log_p_of_x() -> None:
    torch.manual_seed(0)
    system, images, exact = linear_gaussian(wider=3.0)
    weights = system.log_weights(images, torch.randn(512, 64, 1)).view(8, 64, 64)
    bounds = [weights.mean((0, 1)).mean()]
    for count in (4, 64):
        groups = weights.view(-1, count, 64).transpose(0, 1)
        bounds.append(importance_weighted_bound(groups.flatten(1)).mean())
    values = [bound.item() for bound in (*bounds, exact.mean())]
    # the gap of the ELBO is KL(q || posterior) of two Gaussians with one mean: (3 - 1 - log 3) / 2
    assert values[3] - values[0] == pytest.approx((3 - 1 - math.log(3)) / 2, abs=0.02)
    assert values[0] < values[1] < values[2] <= values[3] + 1e-3
    assert values[3] - values[2] < 0.02


def test_the_likelihood_of_a_picture_does_not_depend_on_chance_or_neighbours() -> None:
    system, data = built(), batch()
    torch.manual_seed(5)
    together = system.log_likelihood(data.image)
    torch.manual_seed(6)
    torch.testing.assert_close(system.log_likelihood(data.image[3:4])[0], together[3])


# Training


def test_the_loss_is_minus_the_bound_and_beta_weighs_the_kl() -> None:
    system, data = built(), batch()
    torch.manual_seed(3)
    losses = system.losses(data)
    assert losses["loss"].item() == pytest.approx((losses["reconstruction"] + losses["kl"]).item())
    torch.manual_seed(3)
    noise = torch.randn(16, 3)
    mean, logvar = system.encoder((data.image + 1) / 2)
    z = mean + (0.5 * logvar).exp() * noise
    # log w = log p(x | z) - (log q - log p), whose mean over epsilon is the KL; here with the KL itself
    logs = bernoulli_log_likelihood(system.decoder(z)[0], (data.image + 1) / 2)
    assert losses["loss"].item() == pytest.approx((gaussian_kl(mean, logvar).sum(1) - logs).mean().item(), rel=1e-5)
    heavy = built(beta=4.0)
    torch.manual_seed(3)
    again = heavy.losses(data)
    assert again["loss"].item() == pytest.approx((losses["reconstruction"] + 4 * losses["kl"]).item(), rel=1e-5)


def test_a_large_beta_keeps_the_code_at_the_prior() -> None:
    kl = {}
    for beta in (0.1, 50.0):
        system = built(beta=beta, rate=1e-2)
        kl[beta] = trained(system, batch(), 200).losses["kl"].item()
    assert kl[50.0] < 0.1 < 1 < kl[0.1]


def test_the_gradient_of_the_bound_pulls_the_code_to_the_posterior() -> None:
    """Shifted by d, the bound is log p(x) - precision d^2 / 2, so its slope is - precision d."""
    torch.manual_seed(0)
    system, images, exact = linear_gaussian(wider=1.0)
    assert isinstance(system.encoder, Fixed)
    nn.init.constant_(system.encoder.shift, 0.4)
    bound = system.log_weights(images, torch.randn(4096, 64, 1)).mean()
    precision = 1 + 0.003 / 0.01  # |W|^2 = 0.0009 + 0.0004 + 0.0016 + 0.0001
    assert bound.item() == pytest.approx(exact.mean().item() - precision * 0.16 / 2, abs=2e-3)
    bound.backward()
    assert system.encoder.shift.grad is not None
    assert system.encoder.shift.grad.item() == pytest.approx(-precision * 0.4, rel=0.01)


def test_gradients_reach_every_mean_and_variance_through_the_drawn_code() -> None:
    system = built()
    system._losses((batch().image + 1) / 2)["reconstruction"].backward()
    gradient = system.encoder.head.weight.grad
    assert gradient is not None and bool((gradient.abs().sum(1) > 0).all())


def test_training_makes_the_bound_better_and_codes_that_tell_pictures_apart() -> None:
    system, data = built(rate=1e-2), batch(8)
    before = system.log_likelihood(data.image).mean().item()
    trained(system, data, 400)
    assert system.log_likelihood(data.image).mean().item() > before + 2
    again = system.decode(system.encode(data.image)).flatten(1)
    nearest = torch.cdist(again, data.image.flatten(1)).argmin(1)
    assert nearest.tolist() == list(range(8))


def test_the_step_size_is_halved() -> None:
    system = built(halve_every=2)
    update = trained(system, batch(), 5)
    assert [group["lr"] for group in update.optimizers["vae"].param_groups] == [TINY.rate / 4]


@pytest.mark.parametrize("kind", ["stochastic", "threshold"])
def test_black_and_white_pixels_are_what_the_objective_sees(kind: str) -> None:
    system = built(binarise=kind)
    grey = batch(4).image
    white = (grey > 0).float()
    noise = torch.zeros(1, 4, 3)
    assert torch.equal(system.log_weights(grey, noise), system.log_weights(2 * white - 1, noise))
    drawn = system._seen(torch.full((1000, 1, 8, 8), -0.5), random=True)
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}
    assert drawn.mean().item() == pytest.approx(0.25 if kind == "stochastic" else 0.0, abs=0.01)


def test_the_convolutional_form_keeps_shapes_in_colour() -> None:
    for changes in ({}, {"decoder": "gaussian"}, {"decoder": "gaussian", "variance": "shared"}):
        system = built(network="convolutional", channels=3, maps=(4, 8), **changes)
        data = batch(5, channels=3)
        assert system.decode(system.encode(data.image)).shape == (5, 3, 8, 8)
        assert system.log_weights(data.image, torch.zeros(2, 5, 3)).shape == (2, 5)
        assert trained(system, data, 1).losses["loss"].isfinite()


def test_sizes_of_the_published_example() -> None:
    system = vae.System(vae.PRESETS["mnist"])
    layers = {name: tuple(weight.shape) for name, weight in system.named_parameters() if name.endswith("weight")}
    assert list(layers.values()) == [(400, 784), (40, 400), (400, 20), (784, 400)]


# What can be put right


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (
            {"binarise": "threshold", "decoder": "gaussian"},
            "--config.binarise threshold needs --config.decoder bernoul",
        ),
        ({"variance_floor": 0.0}, "--config.variance-floor 0.0: more than 0"),
        ({"network": "convolutional", "resolution": 28}, "a multiple of 16 is needed for the 4 halvings"),
        ({"latents": 0}, "--config.latents 0: at least 1"),
        ({"hidden": ()}, "--config.hidden: at least one number"),
        ({"beta": -1.0}, "--config.beta -1.0: at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        replace(TINY, **changes)


def test_other_pictures_than_those_of_the_settings_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        TrainingError, match="bars are colour, these settings are for grey ones: give --config.channels 3"
    ):
        vae.build(TINY, replace(FACTS, channels=3))
    data = make_pictures(tmp_path / "bars.telldraw")
    assert main(["train", "vae", "--data", str(data), "--preset", "tiny", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "the pictures of bars have 28x28 pixels, these settings are for 8x8: give --config.resolution 28" in said
    assert said.count("\n") == 1
