"""The conditional GAN: the paper's networks to the number, its schedule, its labels, and what it refuses."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from telldraw.batches import PictureFacts, Pictures
from telldraw.errors import TelldrawError, TrainingError
from telldraw.systems import cgan
from telldraw.systems.cgan import PRESETS, Config, System, another, build
from telldraw.training.update import Update

SMALL_PAPER = replace(
    PRESETS["paper"],
    marginal_bias=False,
    resolution=4,
    num_classes=3,
    noise_dim=5,
    generator_widths=(6, 7, 8),
    discriminator_widths=(5, 4, 6),
)
OF_USE = replace(SMALL_PAPER, start="torch", generator_dropout=0.0, discriminator_dropout=0.0, input_dropout=0.0)
"""The same with weights that a small network can begin with, and without chance."""
SMALL = {"paper": SMALL_PAPER, "modern": PRESETS["tiny"], "source": replace(PRESETS["tiny"], start="normal")}


def facts(**changes: Any) -> PictureFacts:
    known = PictureFacts("test", "none", resolution=8, channels=1, classes=("a", "b", "c"))
    return replace(known, **changes)


def batch(config: Config, count: int = 12, seed: int = 0) -> Pictures:
    rng = torch.Generator().manual_seed(seed)
    image = torch.rand(count, config.channels, config.resolution, config.resolution, generator=rng) * 2 - 1
    return Pictures(image, labels(torch.arange(count) % config.num_classes, config))


def labels(classes: Tensor, config: Config) -> Tensor:
    return nn.functional.one_hot(classes, config.num_classes).float()


def weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def trained(config: Config, steps: int, seed: int = 0) -> tuple[System, Update]:
    torch.manual_seed(seed)
    system = System(config).train()
    update = Update(system.optimizers())
    for step in range(steps):
        system.training_step(batch(config, seed=step), update)
        update.step += 1
    return system, update


# --- networks -----------------------------------------------------------------------------------------------------


def test_the_papers_networks_have_the_papers_sizes() -> None:
    system = System(PRESETS["paper"])
    shapes = {name: tuple(weight.shape) for name, weight in system.named_parameters() if name.endswith("weight")}
    assert shapes == {
        "generator.noise.weight": (200, 100),
        "generator.label.weight": (1000, 10),
        "generator.joint.weight": (1200, 1200),
        "generator.pixels.weight": (784, 1200),
        "discriminator.image.linear.weight": (240 * 5, 784),
        "discriminator.label.linear.weight": (50 * 5, 10),
        "discriminator.joint.linear.weight": (240 * 4, 290),
        "discriminator.logit.weight": (1, 240),
    }


def test_the_usual_networks_have_the_names_and_sizes_of_the_public_code() -> None:
    system = System(PRESETS["source"])
    assert weights(system.generator) == 1_511_412 and weights(system.discriminator) == 932_965
    places = {name.rsplit(".", 1)[0] for name, _ in system.named_parameters()}
    assert places == {
        "generator.label_emb",
        *(f"generator.gen.{index}" for index in (0, 2, 3, 5, 6, 8, 9, 11)),
        "discriminator.label_emb",
        *(f"discriminator.dis.{index}" for index in (0, 2, 5, 8)),
    }
    norms = [module for module in system.modules() if isinstance(module, nn.BatchNorm1d)]
    assert len(norms) == 3 and all(norm.eps == 1e-5 for norm in norms)  # 0.8 is their slip


def test_weights_begin_as_their_preset_says() -> None:
    torch.manual_seed(0)
    source, paper = System(PRESETS["source"]), System(PRESETS["paper"])
    linear = [module for module in source.modules() if isinstance(module, nn.Linear)]
    assert all(
        float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1) for layer in linear if len(layer.weight) > 1
    )
    assert all(not layer.bias.any() for layer in linear)
    for player, reach in ((paper.generator, 0.05), (paper.discriminator, 0.005)):
        for layer in player.modules():
            if isinstance(layer, nn.Linear):
                assert 0.9 * reach < float(layer.weight.detach().abs().max()) <= reach and not layer.bias.any()


def test_the_first_pictures_of_the_papers_network_are_as_bright_as_the_data() -> None:
    config = replace(PRESETS["paper"], rate=1e-9)
    image = torch.full((50, 1, 28, 28), -1.0)
    image[:, :, 10:18, 10:18] = 0.5
    torch.manual_seed(0)
    system = System(config).train()
    update = Update(system.optimizers())
    system.training_step(Pictures(image, labels(torch.arange(50) % 10, config)), update)
    with torch.no_grad():
        drawn = system.eval().generate(torch.randn(40, system.noise_dim), labels(torch.arange(40) % 10, config)).mean(0)
    torch.testing.assert_close(drawn, image[0].clamp(2 * cgan.DARKEST - 1), atol=0.08, rtol=0)
    first = system.state_dict()["generator.pixels.bias"].clone()
    update.step = 1
    system.training_step(Pictures(-image, labels(torch.arange(50) % 10, config)), update)
    torch.testing.assert_close(system.state_dict()["generator.pixels.bias"], first)  # once, not again


def test_dropout_of_the_discriminator_is_in_training_alone() -> None:
    for where in ("input_dropout", "discriminator_dropout"):
        system, given = System(replace(OF_USE, **{where: 0.5})), batch(OF_USE)
        first, second = (system.judge(given.image, given.label) for _ in range(2))
        assert not torch.equal(first, second)
        system.eval()
        first, second = (system.judge(given.image, given.label) for _ in range(2))
        assert torch.equal(first, second)


@torch.no_grad()
def test_dropout_of_the_generator_follows_from_its_noise() -> None:
    torch.manual_seed(0)
    system = System(replace(OF_USE, generator_dropout=0.25)).eval()
    noise, label = torch.randn(1, system.noise_dim), torch.eye(3)[:1]
    net: Any = system.generator
    z, first, second = torch.special.ndtr(noise).split((5, 13, 8), 1)
    hidden = torch.cat([net.noise(z).relu(), net.label(label).relu()], 1) * (first >= 0.25) / 0.75
    hidden = net.joint(hidden).relu() * (second >= 0.25) / 0.75
    torch.testing.assert_close(system.generate(noise, label).flatten(), 2 * net.pixels(hidden).sigmoid()[0] - 1)
    masks = torch.special.ndtr(torch.randn(4000, system.noise_dim))[:, 5:] >= 0.25
    assert float(masks.float().mean()) == pytest.approx(0.75, abs=0.01)
    assert torch.equal(system.generate(noise, label), system.train().generate(noise, label))  # in training and after it


@pytest.mark.parametrize("preset", SMALL)
def test_pictures_are_made_of_the_noise_and_the_label_alone(preset: str) -> None:
    config = SMALL[preset]
    system = trained(config, 3)[0].eval()
    noise, label = torch.randn(9, system.noise_dim), labels(torch.arange(9) % config.num_classes, config)
    drawn = system.generate(noise, label)
    assert tuple(drawn.shape) == (9, config.channels, config.resolution, config.resolution)
    assert float(drawn.detach().abs().max()) <= 1
    torch.testing.assert_close(system.generate(noise[2:4], label[2:4]), drawn[2:4])  # neighbours do not matter
    assert not torch.allclose(system.generate(noise, label.roll(1, 1)), drawn)
    assert not torch.allclose(system.generate(noise.roll(1, 0), label), drawn)


def test_uniform_noise_is_the_normal_noises_place_in_its_distribution() -> None:
    system = System(SMALL_PAPER)
    torch.manual_seed(0)
    z = system._latent(torch.randn(20_000, system.noise_dim))
    assert tuple(z.shape) == (20_000, 5 + 6 + 7 + 8)  # and a number for each hidden unit that may be dropped
    assert 0 <= float(z.min()) < float(z.max()) <= 1
    assert float(z.mean()) == pytest.approx(0.5, abs=0.01) and float(z.var()) == pytest.approx(1 / 12, abs=0.002)
    assert torch.equal(System(PRESETS["tiny"])._latent(z[:, :8]), z[:, :8])


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize(("resolution", "channels", "classes"), [(5, 3, 4), (16, 1, 1), (7, 3, 58)])
def test_any_size_colour_and_number_of_classes(network: str, resolution: int, channels: int, classes: int) -> None:
    config = replace(SMALL[network], resolution=resolution, channels=channels, num_classes=classes)
    system, update = trained(config, 2)
    assert all(bool(value.isfinite()) for value in update.losses.values())
    made = system.eval().generate(torch.randn(2, system.noise_dim), labels(torch.tensor([0, classes - 1]), config))
    assert tuple(made.shape) == (2, channels, resolution, resolution)


# --- training -----------------------------------------------------------------------------------------------------


def test_step_size_and_momentum_follow_the_papers_schedule() -> None:
    system, update = trained(SMALL_PAPER, 0)
    for step in (0, 1, 1000, 62_500, 125_000, 400_000):
        update.step = step
        system.training_step(batch(SMALL_PAPER), update)
        for optimizer in update.optimizers.values():
            (group,) = optimizer.param_groups
            assert group["lr"] == pytest.approx(max(0.1 / 1.00004**step, 1e-6))
            assert group["momentum"] == pytest.approx(0.5 + 0.2 * min(step / 125_000, 1))


def test_adam_keeps_its_step_size() -> None:
    _, update = trained(PRESETS["tiny"], 3)
    assert all(optimizer.param_groups[0]["lr"] == 1e-3 for optimizer in update.optimizers.values())


def test_halving_halves_the_step_of_the_discriminator_alone() -> None:
    plain = replace(OF_USE, halved=False)
    before = trained(plain, 0)[0].state_dict()
    whole, half = (trained(each, 1)[0].state_dict() for each in (plain, replace(plain, halved=True)))
    for name, weight in before.items():
        ratio = 0.5 if name.startswith("discriminator") else 1.0
        torch.testing.assert_close(half[name] - weight, ratio * (whole[name] - weight), rtol=1e-3, atol=1e-7)


def test_the_order_of_the_players_decides_which_discriminator_the_generator_meets() -> None:
    first, second = (
        trained(replace(OF_USE, order=order), 1)[0].state_dict() for order in ("generator", "discriminator")
    )
    same = {name for name in first if torch.equal(first[name], second[name])}
    assert same == {name for name in first if name.startswith("discriminator")}  # one step from the same weights


@pytest.mark.parametrize("saturating", [False, True])
def test_both_objectives_of_the_generator_raise_what_the_discriminator_thinks_of_it(saturating: bool) -> None:
    config = replace(OF_USE, saturating=saturating)
    system, update = trained(config, 0)
    noise, label = torch.randn(64, system.noise_dim), labels(torch.arange(64) % 3, config)
    before = system.judge(system.generate(noise, label), label).mean().item()
    system._improve_generator(system.generator(system._latent(noise), label), label, update)
    assert system.judge(system.generate(noise, label), label).mean().item() > before


def test_another_label_is_never_the_right_one_and_each_other_one_comes_up() -> None:
    torch.manual_seed(0)
    label = nn.functional.one_hot(torch.arange(5).repeat_interleave(400), 5).float()
    wrong = another(label)
    assert torch.equal(wrong.sum(1), torch.ones(2000)) and float((wrong * label).sum()) == 0
    counts = label.T @ wrong
    assert float(counts[~torch.eye(5, dtype=torch.bool)].min()) > 70  # 100 expected


def learns(make: Callable[[Tensor], Tensor], config: Config, steps: int = 250) -> tuple[System, Pictures]:
    """A system trained on pictures that are a function of their class, and the last batch."""
    torch.manual_seed(0)
    system = System(config).train()
    update, given = Update(system.optimizers()), batch(config, 48)
    for _ in range(steps):
        classes = torch.randint(config.num_classes, (48,))
        given = Pictures(make(classes), labels(classes, config))
        system.training_step(given, update)
        update.step += 1
    return system.eval(), given


def test_wrong_labels_are_rejected_where_they_were_trained_on() -> None:
    """Each class is a shade of grey; only `wrong_weight` asks D whether shade and label belong together."""

    def shades(classes: Tensor) -> Tensor:
        level = (classes.float() - 1) * 0.6
        return (level.view(-1, 1, 1, 1) + 0.1 * torch.randn(len(classes), 1, 8, 8)).clamp(-1, 1)

    config = replace(PRESETS["tiny"], wrong_weight=0.5, discriminator_dropout=0.0)
    system, given = learns(shades, config)
    right = system.judge(given.image, given.label)
    wrong = system.judge(given.image, given.label.roll(1, 1))
    assert float((right.unsqueeze(1) > wrong).float().mean()) > 0.95


def test_it_learns_which_label_goes_with_which_picture() -> None:
    def halves(classes: Tensor) -> Tensor:
        """Class 0: dark; 1: bright on the left; 2: bright on the right."""
        image = -0.8 + 0.1 * torch.randn(len(classes), 1, 8, 8)
        image[classes == 1, :, :, :4] += 1.4
        image[classes == 2, :, :, 4:] += 1.4
        return image.clamp(-1, 1)

    config = replace(PRESETS["tiny"], rate=2e-3)
    system, _ = learns(halves, config, 400)
    drawn = system.generate(torch.randn(60, 8), labels(torch.arange(60) % 3, config)).detach()
    left, right = (part.mean((1, 2, 3)) > -0.1 for part in (drawn[..., :4], drawn[..., 4:]))
    shown = left.long() + 2 * right.long()
    assert float((shown == torch.arange(60) % 3).float().mean()) > 0.95


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": ()}, "has no labels"),
        ({"channels": 3}, "has colour pictures and the network is for grey ones; give --config.channels 3"),
        ({"resolution": 28}, "28x28 and the network is for 8x8; give --config.resolution 28"),
    ],
)
def test_data_that_does_not_fit_is_refused_in_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        build(PRESETS["tiny"], facts(**changes))


def test_the_number_of_classes_is_that_of_the_data() -> None:
    assert build(PRESETS["tiny"], facts(classes=tuple("abcdefg"))).label_dim == 7


def test_a_wrong_label_needs_one_class_a_picture() -> None:
    with pytest.raises(TrainingError, match="may have several classes"):
        build(replace(PRESETS["tiny"], wrong_weight=0.5), facts(many=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": 2}, r"--config.channels 2: 1 \(grey\) or 3"),
        ({"resolution": 0}, "--config.resolution 0"),
        ({"wrong_weight": 1.0}, "--config.wrong-weight 1.0"),
        ({"network": "paper"}, "three widths of G"),
        ({"marginal_bias": True}, "--config.marginal-bias: only"),
        ({"generator_widths": ()}, "positive numbers"),
        ({"rate": float("nan")}, "--config.rate nan"),
        ({"rate": 0.0}, "--config.rate 0.0"),
        ({"discriminator_dropout": 2.0}, "--config.discriminator-dropout 2.0: from 0 to less than 1"),
        ({"generator_dropout": float("nan")}, "--config.generator-dropout nan"),
        ({"betas": (0.5, 1.0)}, r"--config.betas \(0.5, 1.0\): from 0"),
        ({"momentum_updates": 0}, "--config.momentum-updates 0"),
    ],
)
def test_settings_that_make_no_network_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        replace(PRESETS["tiny"], **changes)


def test_labels_and_pictures_of_other_sizes_are_refused() -> None:
    system = System(PRESETS["tiny"]).eval()
    noise = torch.randn(2, 8)
    with pytest.raises(TelldrawError, match="give one of 3 classes"):
        system.generate(noise, None)
    with pytest.raises(TelldrawError, match="labels of 2 x 4 do not fit 2 pictures; 2 x 3 is needed"):
        system.generate(noise, torch.zeros(2, 4))
    with pytest.raises(
        TelldrawError, match="pictures of 3 x 8 x 8 cannot be judged; this discriminator takes 1 x 8 x 8"
    ):
        system.judge(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3))


def test_at_the_fixed_point_the_losses_are_log_4_and_log_2() -> None:
    system, update = trained(replace(SMALL_PAPER, rate=1e-12), 0)
    for weight in system.discriminator.parameters():
        weight.data.zero_()
    system.training_step(batch(SMALL_PAPER), update)
    assert float(update.losses["discriminator"]) == pytest.approx(math.log(4))
    assert float(update.losses["generator"]) == pytest.approx(math.log(2))
    assert cgan.PRESETS["paper"].halved
