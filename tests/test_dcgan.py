"""DCGAN: the paper's networks, any objective, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from telldraw.batches import PictureFacts, Pictures
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import OBJECTIVES
from telldraw.systems import dcgan
from telldraw.systems.dcgan import PRESETS, Config, System
from telldraw.training.update import Update

TINY = PRESETS["tiny"]
BOUNDED = {"wasserstein": {"gradient_penalty": 1.0, "discriminator_norm": "layer"}}
"""Settings without which an objective is refused."""


def batch(config: Config, count: int = 8, value: float | None = None) -> Pictures:
    shape = (count, config.channels, config.resolution, config.resolution)
    image = torch.rand(shape) * 2 - 1 if value is None else torch.full(shape, value) + 0.02 * torch.randn(shape)
    return Pictures(image, torch.zeros(count, 0))


def trained(config: Config, steps: int, value: float | None = None) -> tuple[System, Update]:
    torch.manual_seed(0)
    system = System(config).train()
    update = Update(system.optimizers())
    for _ in range(steps):
        system.training_step(batch(config, value=value), update)
        update.step += 1
    return system, update


@pytest.mark.parametrize(("resolution", "channels"), [(32, 1), (32, 3), (64, 1), (64, 3)])
def test_noise_becomes_a_picture_and_a_picture_a_number(resolution: int, channels: int) -> None:
    system = System(replace(TINY, resolution=resolution, channels=channels, generator_width=4, discriminator_width=4))
    picture = system.eval().generate(torch.randn(2, system.noise_dim))
    assert picture.shape == (2, channels, resolution, resolution)
    assert system.discriminator(picture).shape == (2,)


def test_the_networks_are_as_large_as_the_published_ones() -> None:
    """3,576,704 and 2,765,568 weights in the usual form with 64 channels; ours has biases where there is no norm."""
    with torch.device("meta"):
        system = System(Config(resolution=64, channels=3, generator_width=64, discriminator_width=64))
    drawn, judged = (sum(weight.numel() for weight in part.parameters()) for part in system.children())
    assert drawn == 3_576_704 + 3
    assert judged == 2_765_568 + 64 + 1


@pytest.mark.parametrize("preset", PRESETS)
def test_all_is_convolution_and_neither_end_is_normalised(preset: str) -> None:
    with torch.device("meta"):
        system = System(PRESETS[preset])
    drawing, judging = list(system.generator.layers), list(system.discriminator.layers)
    kinds = nn.ConvTranspose2d | nn.Conv2d | nn.BatchNorm2d | nn.GroupNorm | nn.ReLU | nn.LeakyReLU | nn.Tanh
    assert all(isinstance(layer, kinds) for layer in (*drawing, *judging))
    assert [type(layer) for layer in drawing[-2:]] == [nn.ConvTranspose2d, nn.Tanh]
    assert [type(layer) for layer in judging[:3]] == [nn.Conv2d, nn.LeakyReLU, nn.Conv2d]
    assert isinstance(judging[-1], nn.Conv2d)


def test_weights_begin_as_in_the_paper() -> None:
    torch.manual_seed(0)
    system = System(Config())
    for module in system.modules():
        if isinstance(module, nn.ConvTranspose2d | nn.Conv2d) and module.weight.numel() > 5000:
            assert module.weight.mean().item() == pytest.approx(0, abs=1e-3)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight - 1).abs().max().item() < 0.1
            assert not module.bias.any()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_teaches_what_the_pictures_are(name: str) -> None:
    """All pictures are of one grey: 0.6, where an untrained generator draws about 0."""
    config: Any = replace(TINY, objective=name, discriminator_rate=1e-3, generator_rate=1e-3, **BOUNDED.get(name, {}))
    system, _ = trained(config, 120, value=0.6)
    with torch.no_grad():
        drawn = system.generate(torch.randn(32, system.noise_dim))
    assert drawn.mean().item() == pytest.approx(0.6, abs=0.25)


@pytest.mark.parametrize("setting", ["gradient_penalty", "r1", "r2"])
def test_a_penalty_holds_the_slope_of_the_critic(setting: str) -> None:
    config: Any = replace(TINY, objective="hinge", discriminator_norm="layer", discriminator_rate=2e-3)

    def slope(system: System) -> float:
        image = batch(config, 16).image.requires_grad_()
        (gradient,) = torch.autograd.grad(system.discriminator(image).sum(), image)
        return gradient.flatten(1).norm(dim=1).mean().item()

    free, _ = trained(config, 30)
    held, update = trained(replace(config, **{setting: 100.0}), 30)
    assert setting in update.losses
    if setting == "gradient_penalty":  # towards 1
        assert abs(slope(held) - 1) < 0.7 * abs(slope(free) - 1)
    else:  # towards 0
        assert slope(held) < 0.7 * slope(free)


def test_the_generator_moves_every_so_many_steps() -> None:
    config = replace(TINY, discriminator_steps=3)
    torch.manual_seed(0)
    system = System(config).train()
    update = Update(system.optimizers())
    moved = []
    for _ in range(6):
        before = [weight.detach().clone() for weight in system.generator.parameters()]
        system.training_step(batch(config), update)
        update.step += 1
        pairs = zip(before, system.generator.parameters(), strict=True)
        moved.append(any(not torch.equal(one, other) for one, other in pairs))
    assert moved == [False, False, True, False, False, True]


def test_clipped_weights_stay_in_their_box() -> None:
    system, _ = trained(replace(PRESETS["wgan-32"], resolution=16, discriminator_width=8, generator_width=8), 5)
    assert max(weight.abs().max().item() for weight in system.discriminator.parameters()) <= 0.01
    assert max(weight.abs().max().item() for weight in system.generator.parameters()) > 0.01


def test_uniform_noise_is_uniform() -> None:
    system = System(replace(TINY, noise="uniform", noise_dim=4)).eval()
    seen: list[Tensor] = []
    system.generator.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad():
        system.generate(torch.randn(4000, 4))
    z = seen[0]
    assert z.min().item() >= -1 and z.max().item() <= 1
    assert z.var().item() == pytest.approx(1 / 3, abs=0.02)
    assert (z > 0.5).float().mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(("norm", "alone"), [("layer", True), ("instance", True), ("none", True), ("batch", False)])
def test_only_batch_norm_lets_neighbours_change_a_judgement(norm: Any, alone: bool) -> None:
    torch.manual_seed(0)
    system = System(replace(TINY, discriminator_norm=norm)).train()
    image = batch(TINY, 6).image
    with torch.no_grad():
        together, single = system.discriminator(image)[:1], system.discriminator(image[:1])
    assert torch.allclose(together, single, atol=1e-6) == alone


def test_measuring_changes_statistics_and_no_weight() -> None:
    system, _ = trained(TINY, 2)
    weights = [weight.detach().clone() for weight in system.parameters()]
    norms = [module for module in system.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms if norm.running_mean is not None]
    system.measure(batch(TINY))
    after = [norm.running_mean for norm in norms if norm.running_mean is not None]
    assert len(after) == len(norms) and not any(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert all(torch.equal(one, two) for one, two in zip(weights, system.parameters(), strict=True))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"gradient_penalty": 10.0}, "--config.gradient-penalty penalise"),
        ({"r1": 1.0, "r2": 1.0}, "--config.r1 and --config.r2 penalise"),
        ({"objective": "wasserstein"}, "--config.clip 0.01"),
        ({"resolution": 48}, "--config.resolution 48: choose one of 8, 16, 32, 64"),
        ({"discriminator_steps": 0}, "--config.discriminator-steps 0"),
        ({"clip": -1.0}, "--config.clip -1.0"),
        ({"generator_rate": float("nan")}, "--config.generator-rate nan"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(TrainingError, match=named):
        Config(**settings)


def test_it_is_built_for_its_pictures() -> None:
    facts = PictureFacts("scenes", "none", 16, 3, ())
    assert dcgan.build(TINY, facts).config.channels == 3
    with pytest.raises(TrainingError, match="scenes are 16x16.*--resolution 32"):
        dcgan.build(PRESETS["mnist-32"], facts)


def test_every_preset_has_a_recipe() -> None:
    assert set(dcgan.RECIPES) == set(PRESETS) - {"tiny"}
