"""StackGAN: its objectives, what each player is shown and moved by, and the way from stage I to stage II."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from captions_like import make_captioned
from colours_like import colours
from telldraw import systems, weights
from telldraw.blocks.conditioning import ConditioningAugmentation
from telldraw.cli import main
from telldraw.commands.depiction import of_captions
from telldraw.commands.reading import attach
from telldraw.errors import TrainingError
from telldraw.objectives.matching import stacked_discriminator
from telldraw.training import checkpoint
from telldraw.training.average import Average
from telldraw.training.update import Update

MODULE = systems.load("stackgan")
TINY = replace(MODULE.PRESETS["tiny"], text_dim=4, text_scale=0.5)

# --- the objectives -------------------------------------------------------------------------------------------------


def test_stage_two_counts_what_is_right_and_what_is_not_alike() -> None:
    assert stacked_discriminator(*torch.zeros(5, 6)).item() == pytest.approx(2 * math.log(2))
    right, fake, wrong, true_alone, fake_alone = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).double()
    positives = (right.sigmoid().log() + true_alone.sigmoid().log()) / 2
    negatives = sum((1 - each.sigmoid()).log() for each in (fake, wrong, fake_alone)) / 3
    found = stacked_discriminator(right, fake, wrong, true_alone, fake_alone)
    assert found.item() == pytest.approx(-(positives + negatives).mean().item())


def test_a_rectified_augmentation_has_no_mean_below_0_and_no_deviation_below_1() -> None:
    torch.manual_seed(0)
    free, rectified = (ConditioningAugmentation(6, 4, rectified=each) for each in (False, True))
    rectified.load_state_dict(free.state_dict())
    condition, nothing = torch.randn(9, 6), torch.zeros(9, 4)
    (_, mean, logvar), (_, above, logvar_above) = free(condition, nothing), rectified(condition, nothing)
    assert bool((mean < 0).any()) and bool((logvar < 0).any())
    assert torch.equal(above, mean.clamp(min=0)) and torch.equal(logvar_above, logvar.clamp(min=0))


# --- what the players are shown -------------------------------------------------------------------------------------


def trained(steps: int, first: Any = None, **settings: Any) -> Any:
    """Stage I after some steps, or stage II on one."""
    torch.manual_seed(0)
    fast = {"generator_rate": 1e-3, "discriminator_rate": 1e-3, **settings}
    system = MODULE.System(replace(TINY, stage=1 if first is None else 2, **fast))
    if first is not None:
        system.first.load_state_dict(first.first.state_dict())
    update = Update(system.train().optimizers())
    for step in range(steps):
        system.training_step(colours(seed=step), update)
        update.step += 1
    return system


@pytest.fixture(scope="module")
def stage_one() -> Any:
    return trained(100)


@pytest.fixture(scope="module")
def stage_two(stage_one: Any) -> Any:
    return trained(100, stage_one)


@pytest.mark.parametrize(("stage", "side"), [(1, 8), (2, 16)])
def test_d_sees_pictures_of_the_side_that_the_stage_draws(
    stage: int, side: int, stage_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = MODULE.System(replace(TINY, stage=stage))
    system.first.load_state_dict(stage_one.first.state_dict())
    seen: list[Tensor] = []
    read = system.discriminator.features
    monkeypatch.setattr(system.discriminator, "features", lambda image: seen.append(image) or read(image))
    batch = colours(8)._replace(image=torch.randn(8, 3, 16, 16))
    system.training_step(batch, Update(system.train().optimizers()))
    true, drawn, believed = seen
    factor = 16 // side
    means = batch.image.unflatten(3, (side, factor)).unflatten(2, (side, factor)).mean((3, 5))
    torch.testing.assert_close(true, means)
    assert drawn.shape == true.shape and not drawn.requires_grad and torch.equal(drawn, believed)


@pytest.mark.parametrize("stage", [1, 2])
def test_the_text_is_a_constant_to_d_in_both_steps(stage: int, stage_one: Any) -> None:
    """Where G does not look at the code, nothing moves mu: neither D's step nor G's, who sees it through D."""
    for looks in (False, True):
        torch.manual_seed(1)
        system = MODULE.System(replace(TINY, stage=stage, kl_weight=0.0)).train()
        system.first.load_state_dict(stage_one.first.state_dict())
        if not looks:
            reader, code = (system.first.begin[0], 1) if stage == 1 else (system.second.join[0], 1)
            with torch.no_grad():
                reader.weight.narrow(code, reader.weight.shape[code] - TINY.code_dim, TINY.code_dim).zero_()
        before = system.drawer.augmentation.project.weight.detach().clone()
        update = Update(system.optimizers())
        system.training_step(colours(8), update)
        assert torch.equal(system.drawer.augmentation.project.weight, before) != looks
        assert update.losses["kl"] > 0


def test_the_kl_is_that_of_the_distributions_the_mean_of_the_codes_numbers() -> None:
    system = MODULE.System(TINY).train()
    with torch.no_grad():
        system.first.augmentation.project.weight.normal_()
    batch = colours(8)
    _, mean, logvar = system.first.augmentation(batch.text / 0.5, torch.zeros(8, TINY.code_dim))
    own, normal = (torch.distributions.Normal(*each) for each in ((mean, (logvar / 2).exp()), (0.0, 1.0)))
    expected = torch.distributions.kl_divergence(own, normal).mean()
    update = Update(system.optimizers())
    system.training_step(batch, update)
    torch.testing.assert_close(update.losses["kl"], expected)


def test_a_heavy_kl_makes_codes_say_nothing() -> None:
    said = {
        weight: trained(25, kl_weight=weight, generator_rate=2e-2)._told(torch.eye(4)).std(0).mean()
        for weight in (0.0, 1000.0)
    }
    assert said[1000.0] < 0.5 * said[0.0]


# --- stage II -------------------------------------------------------------------------------------------------------


def test_stage_one_stays_as_it_is_its_statistics_too(stage_one: Any, stage_two: Any) -> None:
    average = Average(stage_two)
    averaged: Any = average.system
    average.measure(averaged.measure, [colours(8, seed) for seed in range(3)])
    for system in (stage_two, averaged):
        assert not system.first.training
        for name, value in stage_one.first.state_dict().items():
            assert torch.equal(system.first.state_dict()[name], value), name
    norm = averaged.second.join[1]
    assert not torch.equal(norm.running_mean, stage_two.second.join[1].running_mean), "its own are measured"


def test_stage_two_draws_from_the_sketch_that_stage_one_shows(stage_one: Any, stage_two: Any) -> None:
    noise, text = torch.randn(5, stage_two.noise_dim), torch.eye(4)[[0, 1, 2, 3, 0]]
    assert stage_one.noise_dim == 8 + 32 and stage_two.noise_dim == 8 + 32 + 32
    sketches: list[Tensor] = []
    hook = stage_two.second.register_forward_pre_hook(lambda module, given: sketches.append(given[0]))
    with torch.no_grad():
        drawn = stage_two.eval().depict(noise, text)
        small = stage_one.eval().depict(noise[:, :40], text)
    hook.remove()
    assert drawn.shape == small.shape == (5, 3, 16, 16), "what stage I draws is enlarged"
    assert sketches[0].shape == (5, 3, 8, 8)
    torch.testing.assert_close(F.interpolate(sketches[0], 16, mode="bilinear"), small)
    for system in (stage_one, stage_two):
        system.train()


def test_stage_two_may_have_to_draw_true_pictures_again(stage_one: Any) -> None:
    """It then makes of a true picture, averaged down, what it was; in the paper nothing asks that of it.

    Weighed heavily and for few steps: later D alone brings it there too, sooner or later by chance.
    """
    known, far = colours(64, seed=999), {}
    for weight in (0.0, 100.0):
        system = trained(30, stage_one, again_weight=weight).eval()
        sketch = F.avg_pool2d(known.image, 2)
        with torch.no_grad():
            noise = torch.zeros(64, TINY.code_dim)
            again = system.second(sketch, known.text / system.config.text_scale, noise).image
            far[weight] = (again - known.image).abs().mean().item()
            told = system._again(known).item()
            assert told == pytest.approx(far[weight], rel=0.1) if weight else told == 0
    assert far[100.0] < 0.9 * far[0.0]


def test_stage_two_may_draw_onto_its_sketch(stage_one: Any) -> None:
    system = trained(0, stage_one, onto_sketch=True).eval()
    noise, text = torch.randn(4, system.noise_dim), torch.randn(4, 4)
    with torch.no_grad():
        z, *eps = noise.split([8, 32, 32], 1)
        sketch = F.interpolate(system.first(z, text / 0.5, eps[0]).image, 16, mode="bilinear")
        begun = system.depict(noise, text)
        assert (begun - sketch).abs().mean() < 0.1, "what is not trained adds hardly anything"
        system.second.paint[-1].weight.zero_()
        assert torch.allclose(system.depict(noise, text), sketch.clamp(-0.99, 0.99), atol=1e-5)
        black = system.second(-torch.ones(1, 3, 8, 8), text[:1], noise[:1, :32]).image
    assert black.amax().item() == pytest.approx(-0.99, abs=1e-5), "and black can still be drawn over"


@pytest.mark.parametrize("stage", [1, 2])
def test_the_slope_of_d_is_penalised_every_so_many_steps(stage: int, stage_one: Any) -> None:
    torch.manual_seed(0)
    config = replace(TINY, stage=stage, discriminator_norm="layer", r1=2.0, r1_every=3)
    system, batch = MODULE.System(config), colours(8)
    system.first.load_state_dict(stage_one.first.state_dict())
    system.train()
    judge, side = system.discriminator, config.side
    real = F.interpolate(batch.image, side, mode="area").requires_grad_()
    drawn = system._drawn(batch)
    features = judge.features(real)
    logits = judge.match(features, drawn.mean.detach())
    if stage == 2:
        logits = (logits + judge.true(features)) / 2
    (slope,) = torch.autograd.grad(logits.sum(), real)
    seen = [system._judged(batch, drawn, step).get("r1") for step in range(7)]
    assert [value is not None for value in seen] == [True, False, False] * 2 + [True]
    torch.testing.assert_close(seen[0], 2.0 / 2 * 3 * slope.square().sum((1, 2, 3)).mean(), rtol=1e-4, atol=1e-7)
    update = Update(system.optimizers())
    system.training_step(batch, update)
    assert update.losses["r1"] > 0
    assert "r1" not in system.losses(batch)


@pytest.mark.parametrize("stage", [1, 2])
def test_d_reads_mu_or_the_text_itself_by_a_layer_of_its_own(stage: int, stage_one: Any) -> None:
    for reads in ("mu", "own"):
        torch.manual_seed(1)
        system, batch = MODULE.System(replace(TINY, stage=stage, discriminator_text=reads)), colours(8)
        system.first.load_state_dict(stage_one.first.state_dict())
        system.train()
        told = system._told(batch.text)
        if reads == "mu":
            assert torch.equal(told, system._drawn(batch).mean) and not told.requires_grad
            assert not list(system.discriminator.compress.parameters())
        else:
            torch.testing.assert_close(told, batch.text / system.config.text_scale)
        with torch.no_grad():  # texts of which the augmentation says nothing
            system.drawer.augmentation.project.weight.zero_()
        other = batch.text.roll(1, 1)  # one-hot rows
        one, two = (system.judge(batch.image, text) for text in (batch.text, other))
        assert torch.equal(one, two) == (reads == "mu")
        update = Update(system.optimizers())
        system.training_step(batch, update)
        assert all(value.isfinite() for value in update.losses.values())


def told_rightly(system: Any) -> float:
    """Share of drawings whose colour is the one that was told."""
    known = colours(64, seed=999)
    torch.manual_seed(1)
    with torch.no_grad():
        drawn = system.eval().depict(torch.randn(64, system.noise_dim), known.text).mean((2, 3))
    system.train()
    palette = torch.stack([known.image[known.text[:, kind] == 1].mean((0, 2, 3)) for kind in range(4)])
    return (torch.cdist(drawn, palette).argmin(1) == known.text.argmax(1)).float().mean().item()


def test_both_stages_learn_to_draw_the_colour_they_are_told(stage_one: Any, stage_two: Any) -> None:
    assert told_rightly(stage_one) > 0.8
    assert told_rightly(stage_two) > 0.9


def test_a_short_code_is_mostly_noise(stage_one: Any) -> None:
    """At the beginning sigma is 1, and mu much smaller: many numbers say the text through it, a few do not."""
    assert told_rightly(trained(100, code_dim=6)) < told_rightly(stage_one) - 0.3


def test_stage_two_without_stage_one_gets_one_sentence() -> None:
    with pytest.raises(TrainingError, match="--start-from is missing"):
        MODULE.System(replace(TINY, stage=2)).optimizers()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"resolution": 48}, "--config.resolution 48: choose one of 8, 16, 32"),
        ({"first_resolution": 4}, "--config.first-resolution 4"),
        ({"first_resolution": 32}, "stage I draws smaller pictures than stage II"),
        ({"stage": 2, "first_resolution": 16}, "stage I draws smaller pictures than stage II"),
        ({"captions": 0}, "--config.captions 0"),
        ({"r1": 1.0}, "--config.discriminator-norm layer"),
        ({"discriminator_norm": "layer", "r1": 1.0, "r1_every": 0}, "--config.r1-every 0: at least 1"),
    ],
)
def test_sizes_that_do_not_go_together_get_one_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        replace(TINY, **settings)


def test_the_published_networks_have_the_published_sizes() -> None:
    with torch.device("meta"):
        first, second = (MODULE.System(MODULE.PRESETS[name]) for name in ("paper-1", "paper-2"))

    def widths(module: nn.Module) -> list[int]:
        return [each.out_channels for each in module.modules() if isinstance(each, nn.Conv2d)]

    assert first.first.begin[0].weight.shape == (1024 * 16, 228)
    assert widths(first.first.paint) == [512, 256, 128, 64, 3]
    assert widths(first.discriminator) == [64, 128, 256, 512, 512, 1]
    assert widths(second.second.read) == [128, 256, 512]
    assert widths(second.second.join) == [512] * 9 and second.second.join[0].in_channels == 512 + 128
    assert widths(second.second.paint) == [256, 128, 64, 32, 3]
    assert widths(second.discriminator) == [64, 128, 256, 512, 1024, 2048, 1024, 512, 512, 1, 1]


# --- from captions to pictures --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_captioned(tmp_path_factory.mktemp("bars") / "bars.telldraw", side=16)


def command(bars: Path, out: Path, *more: str) -> list[str]:
    return ["train", "stackgan", "--data", str(bars), "--out", str(out), "--batch-size", "16", *more]


@pytest.fixture(scope="module")
def runs(bars: Path) -> tuple[Path, Path]:
    """A run of each stage."""
    encoder, one, two = (bars.parent / name for name in ("encoder", "one", "two"))
    words = ["train", "text-encoder", "--data", str(bars), "--preset", "tiny", "--out", str(encoder)]
    assert main([*words, "--config.variant", "word-gru", "--batch-size", "16", "--examples", "64"]) == 0
    first = ("--preset", "tiny", "--text-encoder", str(encoder), "--examples", "160")
    assert main(command(bars, one, *first)) == 0
    assert main(command(bars, two, "--preset", "tiny-2", "--start-from", str(one), "--examples", "160")) == 0
    return one, two


def test_each_stage_draws_pictures_of_the_datas_size(runs: tuple[Path, Path], bars: Path, tmp_path: Path) -> None:
    drawn = []
    for run in runs:
        assert weights.card(run / "weights")["resolution"] == 16
        loaded = weights.load(run / "weights")
        attach(loaded, "cpu")
        drawn.append(of_captions(loaded.system, ["a dark bar on the left"], 3, seed=5))
        assert drawn[-1].shape == (1, 3, 1, 16, 16)
        assert main(["generate", str(run), "a dark bar", "--out", str(tmp_path / "x.png")]) == 0
        assert main(["evaluate", str(run), "--data", str(bars), "--split", "train", "--samples", "144"]) == 0
        report = json.loads((run / "evaluation-train" / "evaluation.json").read_text())
        figures = {name: figure["value"] for name, figure in report["figures"].items()}
        assert 0 <= figures["auc_wrong_text"] <= 1 and figures["caption_spread"] > 0
    assert not torch.equal(*drawn)


def test_a_seed_is_the_same_sketch_in_both_stages(runs: tuple[Path, Path]) -> None:
    one, two = (weights.load(run / "weights") for run in runs)
    for loaded in (one, two):
        attach(loaded, "cpu")
    sketches: list[Tensor] = []
    system: Any = two.system
    system.second.register_forward_pre_hook(lambda module, given: sketches.append(given[0]))
    of_captions(system, ["a dark bar on the left"], 3, seed=5)
    small = of_captions(one.system, ["a dark bar on the left"], 3, seed=5)[0]
    torch.testing.assert_close(F.interpolate(sketches[0], 16, mode="bilinear"), small, rtol=0, atol=1e-4)


def test_stage_two_that_was_stopped_arrives_at_the_same_weights(
    runs: tuple[Path, Path], bars: Path, tmp_path: Path
) -> None:
    for out, parts in (("whole", ["96"]), ("parts", ["48", "96"])):
        for examples in parts:
            more = ("--preset", "tiny-2", "--start-from", str(runs[0]), "--examples", examples)
            assert main(command(bars, tmp_path / out, *more)) == 0
    whole, parts = (
        checkpoint.load_latest(tmp_path / out, device=torch.device("cpu"), warn=print) for out in ("whole", "parts")
    )
    assert whole is not None and parts is not None
    for part in ("system", "average"):
        assert all(torch.equal(value, parts[part][name]) for name, value in whole[part].items())


def test_stages_that_do_not_fit_get_one_sentence(
    runs: tuple[Path, Path], bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = ("--preset", "tiny-2", "--start-from", str(runs[0]))
    encoder = str(bars.parent / "encoder")
    for words, said in (
        (("--preset", "tiny-2", "--text-encoder", encoder), "--start-from is missing: stage II"),
        (("--preset", "tiny", "--text-encoder", encoder, "--config.resolution", "32"), "16x16"),
        ((*begun, "--config.first-width", "16"), "other sizes: first-width "),
        ((*begun[:2], "--start-from", encoder), "text encoder"),
    ):
        assert main(command(bars, tmp_path / "x", *words)) == 2
        assert said in capsys.readouterr().err, said
    assert not (tmp_path / "x" / "weights").exists()
