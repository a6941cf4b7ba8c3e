"""A StyleGAN beside an encoder: what is found again, how codes lie, what TediGAN begins with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from faces_like import make_faces
from telldraw import weights
from telldraw.batches import PictureFacts, Pictures
from telldraw.cli import main
from telldraw.errors import TrainingError
from telldraw.objectives.sliced import lines_between, sliced_normal_energy, sliced_wasserstein
from telldraw.systems import style_autoencoder, tedigan
from telldraw.systems.style_autoencoder import PRESETS, Config, System
from telldraw.training.update import Update

TINY = PRESETS["tiny"]
FACTS = PictureFacts("made-up", "CC0", 16, 3, (), False)


def flat(count: int) -> Tensor:
    """Pictures of one colour each."""
    return (torch.rand(count, 3, 1, 1) * 1.6 - 0.8).expand(-1, -1, 16, 16).clone()


def trained(config: Config, steps: int, count: int = 16) -> tuple[Any, list[dict[str, float]]]:
    torch.manual_seed(0)
    system = System(config).train()
    update, told = Update(system.optimizers()), []
    for _ in range(steps):
        system.training_step(Pictures(flat(count), torch.zeros(count, 0)), update)
        told.append({name: value.item() for name, value in update.losses.items()})
        update.step += 1
    return system, told


def test_pictures_are_found_again_and_drawn_anew() -> None:
    config = replace(TINY, start=16, generator_rate=5e-3, discriminator_rate=5e-3, cloud=128, lines=64)
    system, told = trained(config, 150)
    assert sum(each["pixel"] for each in told[-20:]) < 0.4 * sum(each["pixel"] for each in told[:20])
    assert sum(each["cloud"] for each in told[-20:]) < 0.4 * sum(each["cloud"] for each in told[:20])
    pictures = flat(64)
    with torch.no_grad():
        again = system.decode(system.encode(pictures))
        drawn = system.synthesise(system.map(torch.randn(64, config.noise_dim)))
    share = 1 - (again - pictures).mean((2, 3)).var() / pictures.mean((2, 3)).var()
    assert (system.mean == 1).all() and system.encode(pictures).mean((0, 2)).sub(1).abs().max() < 0.25
    assert share > 0.5  # of the colours' variance, new pictures too
    assert drawn.mean((2, 3)).std() > 0.15  # and codes of noise differ in colour


def test_the_energy_distance_to_a_normal_is_that_of_all_pairs() -> None:
    torch.manual_seed(0)
    x, lines = torch.randn(7, 3).double() * 1.7 + 0.4, F.normalize(torch.randn(3, 5).double(), dim=0)
    seen, grid = x @ lines, torch.linspace(-9, 9, 20_001).double()
    density = torch.exp(-grid.square() / 2) / (2 * torch.pi) ** 0.5
    to_normal = torch.trapezoid((seen[..., None] - grid).abs() * density, grid, dim=-1).mean(0)
    pairs = (seen[:, None] - seen).abs().sum((0, 1)) / (7 * 6)
    expected = (2 * to_normal - pairs).mean() - 2 / torch.pi**0.5
    torch.testing.assert_close(sliced_normal_energy(x, lines), expected, rtol=1e-6, atol=1e-6)


def test_the_energy_distance_of_few_normal_points_is_nothing_in_the_mean() -> None:
    torch.manual_seed(0)
    lines = F.normalize(torch.randn(6, 32), dim=0)
    told = {
        scale: torch.stack([sliced_normal_energy(scale * torch.randn(8, 6), lines) for _ in range(2000)])
        for scale in (0.5, 1.0, 2.0)
    }
    error = told[1.0].std().item() / 2000**0.5
    assert abs(told[1.0].mean().item()) < 4 * error < 0.02
    assert told[0.5].mean() > 0.05 and told[2.0].mean() > 0.05


def test_perceptual_distance_counts_from_the_side_that_shows_something() -> None:
    class Far:
        def distance(self, x: Tensor, y: Tensor) -> Tensor:
            return (x - y).abs().flatten(1).mean(1)

    torch.manual_seed(0)
    config = replace(TINY, resolution=32, start=16, stable=(16,), fading=(16,), perceptual_weight=1.0)
    system = System(config).train()
    system.perceive(Far())
    update, seen = Update(system.optimizers()), []
    for _ in range(5):
        system.training_step(Pictures(torch.rand(8, 3, 32, 32), torch.zeros(8, 0)), update)
        seen.append((update.losses["level"].item(), "perceptual" in update.losses))
        update.losses.clear()
    assert [told for _, told in seen] == [level > 4 for level, _ in seen]
    assert {told for _, told in seen} == {True, False}
    assert not any(name.startswith("_seen") for name in system.state_dict())


def test_codes_drawn_anew_are_of_noise_or_of_two() -> None:
    """Half of them are f's; in the others every layer's code is one that was read, or one of f's."""
    torch.manual_seed(0)
    system = System(TINY)
    read = torch.randn(8, TINY.layers, TINY.style_dim) + 100
    codes = system._anew(read, 8, level=4.0)
    assert codes.shape == (8, TINY.layers, TINY.style_dim)
    of_reading = (codes.mean(2) > 50).tolist()
    assert not any(map(any, of_reading[4:]))
    for code in codes[:4]:
        layers = [n for n in range(TINY.layers) if code[n].mean() > 50]
        assert layers  # one of the two is always read
        for n in layers:
            assert any(torch.equal(code[n], other[n]) for other in read)


def test_the_cloud_is_what_was_read_last() -> None:
    system = System(replace(TINY, cloud=6))
    for number in range(3):
        system._apart(torch.full((4, TINY.layers, TINY.style_dim), float(number)) + torch.randn(4, 1, 1) / 100)
    assert system.kept == 6
    assert system.lately.mean((1, 2)).round().tolist() == [2, 2, 2, 2, 1, 1]


def test_tedigan_begins_with_it() -> None:
    """All of G and of the mapping, D, and the encoder of pictures."""
    torch.manual_seed(0)
    system = System(TINY)
    config = replace(tedigan.PRESETS["tiny"], mapping_layers=2, mapping_rate=1.0, repeat=False)
    other = tedigan.System(config)
    left = {name for name in system.state_dict() if name.partition(".")[0] not in system.training_only}
    missing, unknown = other.load_state_dict(system.state_dict(), strict=False)
    assert {name for name in left if name in unknown} == {"seen"}
    assert {name.partition(".")[0] for name in missing} <= {"encoders", "ready", "familiar"}
    assert not any(name.startswith("encoders.image") for name in missing)
    image = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(other.eval()._read("image", image), system.eval().encode(image))


def test_from_data_to_tedigan_by_command(tmp_path: Path) -> None:
    data, run, on = make_faces(tmp_path / "faces.telldraw"), tmp_path / "run", tmp_path / "tedigan"
    quick = ["--data", str(data), "--preset", "tiny", "--device", "cpu", "--examples", "24", "--batch-size", "8"]
    assert main(["train", "style-autoencoder", *quick, "--out", str(run)]) == 0
    kept = set(weights.load(run / "weights").system.state_dict())  # type: ignore[attr-defined]
    assert not any(name.startswith(("discriminator", "lately", "kept")) for name in kept)
    sizes = ["--config.mapping-layers", "2", "--config.mapping-rate", "1", "--config.no-repeat"]
    how = ["--start-from", str(run), "--config.perceptual-weight", "0", *sizes, "--out", str(on)]
    assert main(["train", "tedigan", *quick, *how]) == 0
    assert main(["generate", str(run), "--n", "2", "--out", str(tmp_path / "drawn.png"), "--device", "cpu"]) == 0
    assert main(["reconstruct", str(run), "--data", str(data), "--out", str(tmp_path / "r.png")]) == 0


def test_the_network_to_compare_in_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_faces(tmp_path / "faces.telldraw")
    how = ["--preset", "tiny", "--config.perceptual-weight", "1", "--out", str(tmp_path / "run")]
    assert main(["train", "style-autoencoder", "--data", str(data), *how]) == 2
    assert "--perceptual is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "said"), [({"cloud": 1}, "--config.cloud 1"), ({"path_length": 2.0}, "--config.path-length 2.0")]
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        replace(TINY, **changed)


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(TrainingError, match="--resolution 64"):
        style_autoencoder.build(PRESETS["faces-64"], FACTS)


def test_every_preset_for_people_has_a_recipe() -> None:
    assert set(style_autoencoder.RECIPES) == {name for name in PRESETS if name != "tiny"}


@pytest.mark.parametrize("name", ["faces-64", "faces-128"])
def test_tedigan_begins_with_all_of_the_preset_of_the_same_name(name: str) -> None:
    with torch.device("meta"):
        first, then = System(PRESETS[name]), tedigan.System(tedigan.PRESETS[name])
    theirs = {key: tensor.shape for key, tensor in then.state_dict().items()}
    missing = {key for key in first.state_dict() if key.partition(".")[0] not in (*first.training_only, *then.leaves)}
    assert {key: first.state_dict()[key].shape for key in missing} == {key: theirs.get(key) for key in missing}
    assert {"mapping", "synthesis", "encoders"} <= {key.partition(".")[0] for key in missing}


# --- how far clouds are apart --------------------------------------------------------------------------------------


@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 2**31))
def test_clouds_of_the_same_points_are_not_apart(count: int, dims: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(count, dims, generator=generator)
    shuffled = points[torch.randperm(count, generator=generator)]
    directions = torch.randn(dims, 5, generator=generator)
    assert sliced_wasserstein(points, shuffled, directions) == pytest.approx(0, abs=1e-10)


def test_a_shift_and_a_stretch_have_closed_forms() -> None:
    torch.manual_seed(0)
    points, directions = torch.randn(2000, 8), F.normalize(torch.randn(8, 4000), dim=0)
    shift = torch.arange(8.0)
    moved = sliced_wasserstein(points, points + shift, directions)
    assert moved.item() == pytest.approx(shift.square().sum().item() / 8, rel=0.05)
    # N(0, I) against N(0, 4 I): along every line (2 - 1)^2
    other = 2 * torch.randn(2000, 8)
    assert sliced_wasserstein(points, other, directions).item() == pytest.approx(1, rel=0.1)


def test_going_down_its_gradient_brings_a_cloud_to_the_other() -> None:
    torch.manual_seed(0)
    target = torch.randn(64, 2) @ torch.tensor([[2.0, 0.5], [0.0, 0.3]]) + torch.tensor([1.0, -2.0])
    points = torch.randn(64, 2, requires_grad=True)
    for _ in range(300):
        loss = sliced_wasserstein(points, target, F.normalize(lines_between(target, 32), dim=0))
        (slope,) = torch.autograd.grad(loss, points)
        points = (points - 20 * slope).detach().requires_grad_()
    assert torch.allclose(points.mean(0), target.mean(0), atol=0.05)
    assert torch.allclose(points.T.cov(), target.T.cov(), atol=0.2)


def test_lines_between_points_are_where_points_are() -> None:
    torch.manual_seed(0)
    points = torch.zeros(10, 50)
    points[:, 3] = torch.arange(10.0)
    lines = lines_between(points, 21)
    assert lines.shape == (50, 21)
    assert (lines[:, 10:] != 0).sum(0).tolist() == [1] * 11 and (lines[3, 10:] != 0).all()  # never a point and itself
    assert (lines[:, :10] != 0).all()
