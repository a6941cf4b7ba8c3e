"""StyleGAN as a system: growing, mixing, truncation, and going on in the middle of a fade."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pictures_like import make_pictures
from telldraw import cli, systems, weights
from telldraw.batches import PictureFacts, Pictures
from telldraw.commands import generation
from telldraw.data.collection import Collection
from telldraw.drawing.noise import noise
from telldraw.errors import TrainingError
from telldraw.objectives.penalties import path_length_penalty, path_lengths
from telldraw.systems import stylegan
from telldraw.systems.stylegan import PRESETS, Config, System
from telldraw.training.loop import Trainer
from telldraw.training.schedule import Schedule
from telldraw.training.update import Update

TINY = PRESETS["tiny"]
GROWING = replace(TINY, start=4, stable=(16,), fading=(16,))
"""Levels after 0, 8, 16, ... examples: 2, 2, 2, 2.5, 3, 3, 3, 3.5, 4."""


def batch(config: Config, count: int = 8, value: float | None = None) -> Pictures:
    shape = (count, config.channels, config.resolution, config.resolution)
    image = torch.rand(shape) * 2 - 1 if value is None else torch.full(shape, value) + 0.02 * torch.randn(shape)
    return Pictures(image, torch.zeros(count, 0))


def trained(config: Config, steps: int, value: float | None = None, count: int = 8) -> tuple[Any, Update]:
    torch.manual_seed(0)
    system = System(config).train()
    update = Update(system.optimizers())
    for _ in range(steps):
        system.training_step(batch(config, count, value), update)
        update.step += 1
    return system, update


@pytest.mark.parametrize("preset", ["tiny", "tiny-v2"])
def test_it_learns_what_the_pictures_are(preset: str) -> None:
    """All pictures are of one grey: 0.6, where an untrained generator draws about 0."""
    config = replace(PRESETS[preset], start=16, generator_rate=5e-3, discriminator_rate=5e-3)
    system, _ = trained(config, 120, value=0.6)
    with torch.no_grad():
        drawn = system.generate(torch.randn(32, system.noise_dim))
    assert drawn.mean().item() == pytest.approx(0.6, abs=0.25)


def test_the_level_follows_from_what_was_seen() -> None:
    torch.manual_seed(0)
    system = System(GROWING)
    update, levels = Update(system.optimizers()), []
    for _ in range(9):
        system.training_step(batch(GROWING), update)
        levels.append(update.losses["level"].item())
    assert levels == [2, 2, 2, 2.5, 3, 3, 3, 3.5, 4]
    assert system.seen.item() == 72 and system.level == 4


def test_pictures_are_those_of_the_side_reached_enlarged() -> None:
    system, _ = trained(GROWING, 2)
    with torch.no_grad():
        image = system.generate(torch.randn(2, system.noise_dim))
    assert image.shape == (2, 3, 16, 16)
    coarse = image[..., ::4, ::4]
    assert torch.equal(image, coarse.repeat_interleave(4, 2).repeat_interleave(4, 3))
    system.seen.fill_(1000)
    with torch.no_grad():
        image = system.generate(torch.randn(2, system.noise_dim))
    assert not torch.equal(image[..., ::2, ::2], image[..., 1::2, ::2])


def test_adam_begins_anew_where_a_side_begins_and_where_it_has_faded_in() -> None:
    torch.manual_seed(0)
    system = System(GROWING)
    update, counted = Update(system.optimizers()), []
    for _ in range(9):
        system.training_step(batch(GROWING), update)
        state = update.optimizers["generator"].state[system.synthesis.const]
        counted.append(int(state["step"].item()))
    # 2, 2, 2 | 2.5 | 3, 3, 3 | 3.5 | 4
    assert counted == [1, 2, 3, 1, 1, 2, 3, 1, 1]


def test_forgetting_empties_an_optimizer_and_keeps_its_step_size() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    update = Update({"one": torch.optim.Adam([weight], 0.1)})
    update("one", (weight - 1).square().sum())
    update.rate("one", 0.5)
    update.forget("one")
    optimizer = update.optimizers["one"]
    assert not optimizer.state and optimizer.param_groups[0]["lr"] == 0.05
    before = weight.detach().clone()
    update("one", 100 * (weight - 1).square().sum())
    torch.testing.assert_close(weight - before, torch.full((3,), 0.05))  # the first step of Adam


class Batches:
    """Batch n follows from n."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def batch(self, step: int) -> Pictures:
        torch.manual_seed(1000 + step)
        return batch(self.config)

    def iterate(self, start_step: int = 0) -> Any:
        while True:
            yield self.batch(start_step)
            start_step += 1


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_a_run_that_was_stopped_in_a_fade_goes_on_exactly(tmp_path: Path, stop: int) -> None:
    def trainer(folder: str) -> Trainer:
        torch.manual_seed(0)
        schedule = Schedule(examples=72)
        (tmp_path / folder).mkdir(exist_ok=True)
        return Trainer(System(GROWING), Batches(GROWING), tmp_path / folder, schedule, seed=5, device="cpu", decay=0.9)

    def go(run: Trainer, steps: int) -> None:
        for _ in range(steps):
            run.step(run.batches.batch(run.update.step))

    whole, first, second = trainer("whole"), trainer("parts"), trainer("parts")
    go(whole, 9)
    go(first, stop)
    first.save()
    assert second.restore(lambda text: pytest.fail(text))
    go(second, 9 - stop)
    for one, two in ((whole.system, second.system), (whole.average.system, second.average.system)):
        mine, theirs = one.state_dict(), two.state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_styles_are_mixed_as_often_as_told_and_within_the_present_side() -> None:
    torch.manual_seed(0)
    system = System(replace(TINY, resolution=32, mixing=0.6))
    w = system._styles(4000, 3.0)
    changes = (w[:, 1:] != w[:, :-1]).any(2)
    assert changes.sum(1).max().item() == 1
    at = changes.float().mean(0)
    assert at.sum().item() == pytest.approx(0.6, abs=0.03)
    assert bool((at[3:] == 0).all()), "at 8 pixels there are four layers: crossovers 1, 2, 3"
    torch.testing.assert_close(at[:3], torch.full((3,), 0.2), rtol=0, atol=0.03)
    alone = System(replace(TINY, mixing=0.0))._styles(8, 4.0)
    assert torch.equal(alone[:, :1].expand_as(alone), alone)


@pytest.mark.parametrize("preset", ["tiny", "tiny-v2"])
def test_noise_can_end(preset: str) -> None:
    config = replace(PRESETS[preset], start=16, noise_until=16)
    torch.manual_seed(0)
    system: Any = System(config)
    update, strengths, w = Update(system.optimizers()), [], torch.randn(1, system.layers, system.style_dim)
    for _ in range(4):
        system.training_step(batch(config), update)
        update.step += 1
        strengths.append(max(layer.strength.abs().max().item() for layer in system.synthesis.layers))
    assert strengths[0] > 0 and strengths[1] > 0 and strengths[2:] == [0, 0]
    with torch.no_grad():
        assert torch.equal(system.synthesis(w, noise="fixed"), system.synthesis(w, noise="none"))
    other, _ = trained(replace(config, noise_until=-1), 4)
    assert min(layer.strength.abs().max().item() for layer in other.synthesis.layers) > 0


def test_w_avg_is_that_of_what_was_trained_with() -> None:
    system, _ = trained(TINY, 3)
    assert bool(system.mean.any()) and system.mean.shape == (system.layers, system.style_dim)


def test_truncation_draws_the_mean_picture_or_leaves_pictures_alone() -> None:
    system, _ = trained(replace(TINY, start=16), 3)
    noise = torch.randn(3, system.noise_dim)

    def drawn(psi: float) -> Tensor:
        system.truncation = psi
        with torch.no_grad():
            return system.generate(noise)

    with torch.no_grad():
        whole = system.synthesise(system.map(noise))
    torch.testing.assert_close(drawn(1.0), whole)
    none = drawn(0.0)
    torch.testing.assert_close(none[0], none[2])
    between = (drawn(0.5) - none).abs().mean()
    assert 0 < between < (whole - none).abs().mean()


def test_the_penalty_comes_every_so_many_steps() -> None:
    config = replace(TINY, r1_every=3)
    torch.manual_seed(0)
    system, image = System(config), torch.rand(4, 3, 16, 16)
    update, came = Update(system.optimizers()), []
    for _ in range(7):
        update.losses.clear()
        system.training_step(Pictures(image, torch.zeros(4, 0)), update)
        update.step += 1
        came.append("r1" in update.losses)
    assert came == [True, False, False, True, False, False, True]
    once, thrice = (
        System(replace(config, r1_every=each))._judged(image, image, 4.0, penalised=True)["r1"] for each in (1, 3)
    )
    assert once.item() > 0 and thrice.item() > 0


def test_a_penalty_holds_the_slope_of_the_discriminator() -> None:
    def slope(system: System) -> float:
        image = batch(TINY, 16).image.requires_grad_()
        (gradient,) = torch.autograd.grad(system.discriminator(image).sum(), image)
        return gradient.flatten(1).norm(dim=1).mean().item()

    config = replace(TINY, start=16, discriminator_rate=5e-3)
    free, held = (trained(replace(config, r1=weight), 40)[0] for weight in (0.0, 100.0))
    assert slope(held) < 0.7 * slope(free)


def test_path_lengths_are_those_of_a_linear_picture() -> None:
    """x = A w: J^T y is A^T y, whatever w."""
    torch.manual_seed(0)
    weight = torch.randn(12, 10)
    w = torch.randn(3, 2, 5, requires_grad=True)
    image = (w.flatten(1) @ weight.T).view(3, 3, 2, 2)
    noise = torch.randn(3, 3, 2, 2)
    lengths = path_lengths(image, w, noise)
    back = (noise.flatten(1) / 2 @ weight).view(3, 2, 5)
    torch.testing.assert_close(lengths, back.square().sum(2).mean(1).sqrt())
    assert path_length_penalty(lengths, lengths.mean()).item() == pytest.approx(lengths.var(correction=0).item())


def test_the_penalty_on_path_lengths_is_differentiated_rightly() -> None:
    """x = s w: lengths are |s| ||y||, so d penalty / d s is known."""
    w, scale = torch.ones(2, 1, 4, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    noise = torch.tensor([[1.0, 0, 0, 0], [0, 2.0, 0, 0]]).view(2, 1, 2, 2)
    lengths = path_lengths((scale * w).view(2, 1, 2, 2), w, noise)
    torch.testing.assert_close(lengths, torch.tensor([1.5, 3.0]))
    path_length_penalty(lengths, torch.tensor(1.0)).backward()
    assert scale.grad is not None
    assert scale.grad.item() == pytest.approx(0.5 * 2 * (0.5 * 0.5 + 2.0 * 1.0))


def test_version_2_evens_out_path_lengths_every_so_many_steps() -> None:
    config = PRESETS["tiny-v2"]
    torch.manual_seed(0)
    system, came = System(config), []
    update = Update(system.optimizers())
    for _ in range(4):
        update.losses.clear()
        system.training_step(batch(config), update)
        update.step += 1
        came.append(("path" in update.losses, "r1" in update.losses))
    assert came == [(True, True), (False, False)] * 2
    assert system.path.item() > 0
    assert "path" not in System(TINY).state_dict()


def test_both_kinds_of_pictures_are_changed_alike_and_the_generator_learns_through_it() -> None:
    config = replace(TINY, start=16, augment=("colour", "translation", "cutout"))
    torch.manual_seed(0)
    system: Any = System(config)
    seen: list[Tensor] = []
    judge = system.discriminator.forward
    system.discriminator.forward = lambda image, **more: (seen.append(image), judge(image, **more))[1]
    update = Update(system.optimizers())
    flat = Pictures(torch.full((64, 3, 16, 16), 0.9), torch.zeros(64, 0))
    before = system.mapping.layers[0].weight.detach().clone()
    system.training_step(flat, update)
    assert len(seen) == 3  # true, drawn; drawn again for the generator
    assert all((image == 0).flatten(1).any(1).float().mean() > 0.9 for image in seen), "each has a square of grey"
    assert not torch.equal(before, system.mapping.layers[0].weight)


def test_the_share_of_changed_pictures_adapts() -> None:
    config = replace(TINY, augment=("colour",), augment_target=0.6, augment_share=0.02)
    system = System(config)
    assert system.share.item() == 0
    system._adapt(torch.ones(1000))
    assert system.share.item() == pytest.approx(0.002)
    for _ in range(20):
        system._adapt(torch.ones(1000))
    assert system.share.item() == pytest.approx(0.02), "no further than allowed"
    system._adapt(torch.tensor([1.0, -1.0]).repeat(500))  # of true and of drawn ones it says the same: no overfitting
    assert system.share.item() == pytest.approx(0.018)
    assert System(replace(config, augment_target=0.0)).share.item() == pytest.approx(0.02)
    assert "share" not in System(TINY).state_dict()


def test_true_pictures_are_mirrored_by_chance() -> None:
    torch.manual_seed(0)
    image = torch.arange(4.0).expand(400, 3, 4, 4)
    out = System(replace(TINY, mirror=True))._mirrored(image)
    turned = out[:, 0, 0, 0] == 3
    assert 120 < int(turned.sum()) < 280
    assert torch.equal(out[turned], image[turned].flip(3)) and torch.equal(out[~turned], image[~turned])
    assert torch.equal(System(TINY)._mirrored(image), image)


@pytest.fixture(scope="module")
def drawer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights in a folder, their w_avg far from what is drawn."""
    folder = tmp_path_factory.mktemp("drawer") / "stylegan"
    system, _ = trained(replace(TINY, start=16), 3)
    with torch.no_grad():
        for layer in system.mapping.layers:
            layer.weight.mul_(3)
    weights.save(folder, system, None, {"system": "stylegan", "name": "stylegan"})
    return folder


def test_weights_draw_what_the_system_drew(drawer: Path) -> None:
    one: Any = weights.load(drawer).system
    two: Any = weights.load(drawer).system
    z = torch.randn(2, 8)
    assert one.level == 4 and not hasattr(one, "discriminator")
    with torch.no_grad():
        assert torch.equal(one.generate(z), two.generate(z))


def test_people_ask_for_more_or_less_truncation(drawer: Path, tmp_path: Path, capsys: Any) -> None:
    def drawn(*more: str) -> Any:
        out = tmp_path / "out.png"
        assert cli.main(["generate", str(drawer), "--n", "4", "--scale", "1", "--out", str(out), *more]) == 0
        return np.asarray(Image.open(out)).astype(int)

    usual = drawn()
    assert np.array_equal(usual, drawn("--truncation", "0.7"))
    assert not np.array_equal(usual, drawn("--truncation", "1"))
    sheet = drawn("--truncation", "0", "--columns", "4")
    first = sheet[:, :16]
    gap = (sheet.shape[1] - 4 * 16) // 3
    assert all(np.abs(sheet[:, n * (16 + gap) :][:, :16] - first).max() <= 1 for n in range(4)), "all are the mean one"
    assert cli.main(["generate", str(drawer), "--truncation", "3"]) == 2
    assert "--truncation 3.0: a number from 0 to 2" in capsys.readouterr().err
    other = tmp_path / "dcgan"
    module = systems.load("dcgan")
    weights.save(other, module.System(module.PRESETS["tiny"]), None, {"system": "dcgan", "name": "other"})
    assert cli.main(["generate", str(other), "--truncation", "0.5"]) == 2
    assert "--truncation 0.5: other draws without" in capsys.readouterr().err


def test_figures_are_of_all_that_was_learnt(drawer: Path, tmp_path: Path) -> None:
    """A sheet of an evaluation shows what psi = 1 draws."""
    data = make_pictures(tmp_path / "bars.telldraw", side=16, channels=3)
    loaded = weights.load(drawer)
    collection = Collection.open(data)
    job: Any = SimpleNamespace(
        loaded=loaded, collection=collection, rows=collection.splits["test"], options=SimpleNamespace(
            samples=5, seed=3, device="cpu"
        )
    )  # fmt: skip
    drawn = generation.draw(job)
    system: Any = weights.load(drawer).system
    with torch.no_grad():
        z = torch.from_numpy(np.stack([noise(3, n, 8) for n in range(5)]))
        wanted = system.synthesise(system.map(z))
    assert drawn.asked is None
    torch.testing.assert_close(drawn.image, wanted)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"start": 12}, "--config.start 12: a power of two from 4 to --config.resolution 64"),
        ({"start": 128}, "--config.start 128"),
        ({"stable": ()}, "--config.stable : numbers of examples"),
        ({"fading": (100, -1)}, "--config.fading 100 -1"),
        ({"r1_every": 0}, "--config.r1-every 0"),
        ({"mixing": 1.5}, "--config.mixing 1.5: a share from 0 to 1"),
        ({"version": "2"}, "--config.start 8: version 2 does not grow.*--config.start 64"),
        ({"resolution": 100}, "--config.resolution 100"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(TrainingError, match=named):
        Config(**settings)


def test_it_is_built_for_its_pictures() -> None:
    facts = PictureFacts("faces", "none", 16, 1, ())
    system: Any = stylegan.build(TINY, facts)
    assert system.config.channels == 1 and system.generate(torch.randn(1, 8)).shape == (1, 1, 16, 16)
    with pytest.raises(TrainingError, match="faces are 16x16.*--resolution 64"):
        stylegan.build(PRESETS["faces-64"], facts)


def test_every_preset_has_a_recipe() -> None:
    assert set(stylegan.RECIPES) == {name for name in PRESETS if not name.startswith("tiny")}
