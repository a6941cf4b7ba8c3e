"""BicycleGAN told by captions: what is drawn again, what anew, and what is style."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from captions_like import make_captioned
from colours_like import colours
from telldraw import cli, systems, weights
from telldraw.commands import perceiving
from telldraw.errors import TrainingError
from telldraw.objectives.sliced import sliced_normal_energy
from telldraw.training import checkpoint
from telldraw.training.update import Update

MODULE = systems.load("bicyclegan")
TINY = replace(MODULE.PRESETS["tiny"], text_dim=4, stems=False, noise_dim=4)


def halves(count: int = 32, seed: int = 0) -> Any:
    """The right half has the colour that is told; how bright the left one is, is style."""
    plain, rng = colours(count, seed), torch.Generator().manual_seed(seed)
    bright = torch.rand(count, 1, 1, 1, generator=rng) * 1.6 - 0.8
    return plain._replace(image=torch.cat([bright.expand(-1, 3, 16, 8), plain.image[..., 8:]], 3))


def trained(steps: int) -> Any:
    torch.manual_seed(0)
    fast = {"generator_rate": 3e-3, "discriminator_rate": 3e-3, "style_rate": 3e-3}
    system = MODULE.System(replace(TINY, **fast)).train()
    update = Update(system.optimizers())
    for step in range(steps):
        system.training_step(halves(seed=step), update)
        update.step += 1
    return system.eval()


def test_captions_say_the_colour_and_styles_what_they_leave_open() -> None:
    """Told another caption in the style of a picture, it draws the caption's colour and keeps the rest."""
    known, system = halves(128, seed=999), trained(300)
    told, real = known.wrong_text, known.image.mean((1, 2))[:, :8].mean(1)
    palette = torch.stack([known.image[known.text[:, kind] == 1, :, :, 8:].mean((0, 2, 3)) for kind in range(4)])
    with torch.no_grad():
        for z in (torch.randn(128, system.noise_dim), system.style(known.image)):
            drawn = system.depict(z, told)
            colour = drawn[..., 8:].mean((2, 3))
            assert (torch.cdist(colour, palette).argmin(1) == told.argmax(1)).float().mean() > 0.9
            kept = torch.corrcoef(torch.stack([drawn[..., :8].mean((1, 2, 3)), real]))[0, 1]
    assert kept > 0.9, "of the last, the styles of pictures"


def test_half_of_a_batch_is_drawn_again_from_its_own_style(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the rest from noise or from the styles of others; the losses are those of the equations."""
    torch.manual_seed(0)
    system, batch = MODULE.System(replace(TINY, variant="int-cls")).train(), colours(8)
    draw, told = system.generator.forward, []
    monkeypatch.setattr(system, "_noise", lambda count: torch.full((count, 4), 9.0))
    monkeypatch.setattr(system.generator, "forward", lambda z, text: told.append((z, text)) or draw(z, text))
    read = system.style(batch.image).detach()
    update = Update(system.optimizers())
    system.training_step(batch, update)
    ((z, text),) = told
    assert len(z) == len(text) == 12, "8 texts and, of INT, 4 between them"
    torch.testing.assert_close(z[:4], read[:4], rtol=1e-4, atol=1e-5)
    assert (z[4:8] == 9).all() and not (z[8:] == 9).any()
    torch.testing.assert_close(z[8:], read[:4], rtol=1e-4, atol=1e-5)
    lines = torch.full((4, 1), 0.5)  # all of those of the patched noise, made as long as 1
    torch.testing.assert_close(update.losses["energy"], TINY.energy_weight * sliced_normal_energy(read, lines))


def test_styles_of_all_pictures_come_to_lie_like_noise() -> None:
    system, known = trained(200), halves(512, seed=999)
    with torch.no_grad():
        z = system.style(known.image)
        lines = torch.eye(TINY.noise_dim)
        assert sliced_normal_energy(z, lines) < 0.1 * sliced_normal_energy(0 * z, lines)


def test_features_count_where_they_are_wanted_and_are_no_weights() -> None:
    class Far:
        def distance(self, x: Tensor, y: Tensor) -> Tensor:
            return (x - y).abs().flatten(1).mean(1)

    for weight in (0.0, 2.0):
        torch.manual_seed(0)
        system = MODULE.System(replace(TINY, perceptual_weight=weight, pixel_weight=1.0)).train()
        system.perceive(Far())
        update = Update(system.optimizers())
        system.training_step(colours(8), update)
        assert ("perceptual" in update.losses) == system.perceives == (weight > 0)
        if weight:
            torch.testing.assert_close(update.losses["perceptual"], weight * update.losses["pixel"])
        assert not any("perceptual" in name for name in system.state_dict())


def test_the_slope_of_d_is_penalised_every_so_many_steps() -> None:
    torch.manual_seed(0)
    system = MODULE.System(replace(TINY, discriminator_norm="layer", r1=2.0, r1_every=3)).train()
    judge, batch = system.discriminator, colours(8)
    real = batch.image.clone().requires_grad_()
    text = system._scaled(batch.text)
    (slope,) = torch.autograd.grad(judge.match(judge.features(real), text).sum(), real)
    update, seen = Update(system.optimizers()), []
    for _ in range(7):
        update.losses.clear()
        system.training_step(batch, update)
        seen.append(update.losses.get("r1"))
        update.step += 1
    assert [value is not None for value in seen] == [True, False, False] * 2 + [True]
    torch.testing.assert_close(seen[0], 2.0 / 2 * 3 * slope.square().sum((1, 2, 3)).mean(), rtol=1e-4, atol=1e-7)


def test_what_gan_cls_can_be_told_counts_here_too() -> None:
    """Step sizes are halved for all three, and texts between texts have their weight."""
    system = MODULE.System(replace(TINY, halve_every=2, variant="int-cls", int_weight=0.0)).train()
    optimizers = system.optimizers()
    update, first = Update(optimizers), {name: each.param_groups[0]["lr"] for name, each in optimizers.items()}
    for _ in range(3):
        system.training_step(colours(8), update)
        update.step += 1
    assert {name: each.param_groups[0]["lr"] for name, each in optimizers.items()} == {
        name: pytest.approx(rate / 2) for name, rate in first.items()
    }
    assert set(first) == {"discriminator", "generator", "style"} and update.losses["between"] == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stage": "style"}, "trained beside G here"),
        ({"r1": 1.0}, "--config.discriminator-norm layer"),
        ({"r1_every": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_gets_one_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said) as caught:
        replace(TINY, **settings)
    assert "\n" not in str(caught.value)


def test_a_batch_of_one_has_finite_losses() -> None:
    torch.manual_seed(0)
    system = MODULE.System(replace(TINY, discriminator_norm="layer")).train()
    one = torch.zeros(1, TINY.noise_dim)
    assert sliced_normal_energy(one, torch.eye(TINY.noise_dim)).isfinite()
    update = Update(system.optimizers())
    system.training_step(colours(2), update)
    assert all(value.isfinite() for value in update.losses.values())


# --- from the command line ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_captioned(tmp_path_factory.mktemp("bars") / "bars.telldraw", side=16)


@pytest.fixture(scope="module")
def encoder(bars: Path) -> Path:
    out = bars.parent / "encoder"
    words = ["train", "text-encoder", "--data", str(bars), "--preset", "tiny", "--out", str(out)]
    assert cli.main([*words, "--config.variant", "word-gru", "--batch-size", "16", "--examples", "320"]) == 0
    return out


def command(bars: Path, encoder: Path, out: Path, *more: str) -> list[str]:
    """Pictures compared in the features of the text encoder's own side for pictures."""
    words = ["train", "bicyclegan", "--data", str(bars), "--preset", "tiny", "--out", str(out), "--batch-size", "16"]
    seen = ["--text-encoder", str(encoder), "--perceptual", str(encoder), "--config.perceptual-weight", "1"]
    return [*words, *seen, *more]


def test_it_is_stopped_and_arrives_at_the_same_weights(bars: Path, encoder: Path, tmp_path: Path) -> None:
    for out, parts in (("whole", ["192"]), ("parts", ["96", "192"])):
        for examples in parts:
            assert cli.main(command(bars, encoder, tmp_path / out, "--examples", examples)) == 0
    whole, parts = (
        checkpoint.load_latest(tmp_path / out, device=torch.device("cpu"), warn=print) for out in ("whole", "parts")
    )
    assert whole is not None and parts is not None
    for part in ("system", "average"):
        assert all(torch.equal(value, parts[part][name]) for name, value in whole[part].items())


def test_its_weights_draw_transfer_and_are_measured(
    bars: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert cli.main(command(bars, encoder, run, "--examples", "64")) == 0
    assert not any("discriminator" in name for name in weights.load(run / "weights").system.state_dict())
    captions = ["a dark bar on the left", "a bright bar on the right"]
    assert cli.main(["generate", str(run), *captions, "--n", "2", "--folder", str(tmp_path / "drawn")]) == 0
    style = ["--style", str(tmp_path / "drawn" / "00000.png"), "--scale", "1", "--out", str(tmp_path / "sheet.png")]
    assert cli.main(["transfer", str(run), *captions, *style]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 16 + 3 * 32
    assert cli.main(["evaluate", str(run), "--data", str(bars), "--limit", "16", "--out", str(tmp_path / "told")]) == 0
    assert "style_inversion" in capsys.readouterr().out


def test_without_features_one_sentence_says_what_to_name(
    bars: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command(bars, encoder, tmp_path / "run", "--examples", "16")
    del words[words.index("--perceptual") : words.index("--perceptual") + 2]
    capsys.readouterr()
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--perceptual is missing" in said


def test_a_text_encoders_side_for_pictures_tells_pictures_apart(encoder: Path) -> None:
    far = perceiving.load(str(encoder))
    picture = torch.rand(3, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        same, other = far.distance(picture, picture), far.distance(picture, picture.flip(3))
    assert (same == 0).all() and (other > 1e-4).all()
