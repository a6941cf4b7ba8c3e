"""Walks between latents and between labels."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from telldraw import cli, systems, weights
from telldraw.commands import interpolate
from telldraw.commands.latents import linear, spherical, walk
from telldraw.commands.picture_sheets import noises
from telldraw.weights import Loaded


@pytest.fixture(scope="module")
def drawer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an untrained DCGAN of 16 pixels, its contrasts raised."""
    module = systems.load("dcgan")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("drawer") / "dcgan"
    system = module.System(module.PRESETS["tiny"])
    with torch.no_grad():
        for weight in system.generator.parameters():
            weight.mul_(5 if weight.dim() > 1 else 1)
    weights.save(folder, system, None, {"system": "dcgan", "name": "dcgan"})
    return folder


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1))
def test_the_great_circle_keeps_the_length(seed: int, share: float) -> None:
    rng = torch.Generator().manual_seed(seed)
    start, end = (nn.functional.normalize(torch.randn(3, 20, generator=rng), dim=1) for _ in range(2))
    way = spherical(start, end, share)
    torch.testing.assert_close(way.norm(dim=1), torch.ones(3))
    angle, gone = (torch.acos((start * other).sum(1).clamp(-1, 1)) for other in (end, way))
    torch.testing.assert_close(gone, share * angle, rtol=0, atol=2e-3)


def test_half_of_a_right_angle_and_half_of_a_straight_way() -> None:
    start, end = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    torch.testing.assert_close(spherical(start, end, 0.5), torch.full((1, 2), math.sqrt(0.5)))
    torch.testing.assert_close(linear(start, end, 0.5), torch.full((1, 2), 0.5))


@pytest.mark.parametrize("way", ["spherical", "linear"])
def test_walks_have_their_ends_and_stay_finite_where_there_is_no_one_circle(way: str) -> None:
    start = torch.tensor([[1.0, 2.0, -1.0]]).expand(3, 3)
    end = torch.stack([start[0], -start[0], torch.tensor([0.5, 0.0, 3.0])])
    found = walk(start, end, 5, way)
    assert found.shape == (3, 5, 3) and bool(found.isfinite().all())
    torch.testing.assert_close(found[:, 0], start)
    torch.testing.assert_close(found[:, -1], end)


def test_a_sheet_has_a_row_for_each_walk(drawer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "walk.png"
    words = ["interpolate", str(drawer), "--n", "5", "--rows", "3", "--scale", "1", "--out", str(out)]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as sheet:
        assert sheet.size == (5 * 20 - 4, 3 * 20 - 4)
        found = np.asarray(sheet)
    ends = tmp_path / "ends"
    for seed, left in ((0, 0), (1, 80)):  # the ends are the pictures that `generate` numbers
        assert cli.main(["generate", str(drawer), "--seed", str(seed), "--n", "3", "--folder", f"{ends}{seed}"]) == 0
        for row in range(3):
            with Image.open(f"{ends}{seed}/0000{row}.png") as picture:
                one = found[20 * row : 20 * row + 16, left : left + 16, 0].astype(int)
                assert abs(one - np.asarray(picture).astype(int)).max() <= 1


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_an_animation_goes_there_and_back(drawer: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"walk{ending}"
    assert cli.main(["interpolate", str(drawer), "--n", "6", "--rows", "2", "--out", str(out)]) == 0
    with Image.open(out) as moving:
        assert getattr(moving, "n_frames", 1) == 10


class Labelled(nn.Module):
    """Draws its label and its noise: pixel 0 is class 1's share, pixel 1 the first number of the noise."""

    noise_dim, label_dim = 4, 3

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        assert label is not None
        image = torch.zeros(len(noise), 1, 2, 2)
        image[:, 0, 0, 0], image[:, 0, 0, 1] = label[:, 1], noise[:, 0]
        image[:, 0, 1] = label[:, [0, 2]]
        return image


def walked(**options: Any) -> Tensor:
    loaded = Loaded("labelled", Labelled(), None, {"classes": ["a", "b", "c"]})  # type: ignore[arg-type]
    asked = interpolate.Options("labelled", **options)
    interpolate._check(asked)
    return interpolate.walks(loaded, asked).unflatten(0, (asked.rows, asked.n))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ""),
        ({"label": "a"}, "a"),
        ({"caption": "a dark bar"}, "a dark bar"),
        ({"from_label": "a", "to_label": "b"}, "from: a; to: b"),
        ({"from_caption": "a dark bar", "to_caption": "no bar"}, "from: a dark bar; to: no bar"),
    ],
)
def test_a_sheet_says_what_was_asked_for(options: dict[str, Any], said: str) -> None:
    assert interpolate._said(interpolate.Options("labelled", **options)) == said


def test_between_labels_the_latent_stays(tmp_path: Path) -> None:
    found = walked(from_label="a", to_label="b", n=5, rows=2, out=tmp_path / "w.png")
    torch.testing.assert_close(found[:, :, 0, 0, 0], torch.linspace(0, 1, 5).expand(2, 5))
    torch.testing.assert_close(found[:, :, 0, 1, 0], torch.linspace(1, 0, 5).expand(2, 5))
    start = noises(0, 2, 4)
    torch.testing.assert_close(found[:, :, 0, 0, 1], start[:, :1].expand(2, 5))


def test_both_may_change_when_both_are_asked_for(tmp_path: Path) -> None:
    found = walked(from_label="a", to_label="b", to_seed=7, path="linear", n=3, rows=2, out=tmp_path / "w.png")
    torch.testing.assert_close(found[:, -1, 0, 0, 1], noises(7, 2, 4)[:, 0])
    torch.testing.assert_close(found[:, -1, 0, 0, 0], torch.ones(2))


def test_between_latents_the_label_stays(tmp_path: Path) -> None:
    each = walked(n=3, rows=3, out=tmp_path / "w.png")
    assert each[1, :, 0, 0, 0].tolist() == [1, 1, 1] and each[0, :, 0, 0, 0].tolist() == [0, 0, 0]
    one = walked(label="b", n=3, rows=3, out=tmp_path / "w.png")
    assert bool((one[:, :, 0, 0, 0] == 1).all())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--n", "1"), "--n 1"),
        (("--rows", "0"), "--rows 0"),
        (("--from-label", "3"), "--to-label"),
        (("--label", "3"), "take no label"),
        (("--from-label", "3", "--to-label", "4"), "take no label"),
        (("--out", "walk.mp4"), "walk.mp4"),
        (("--to-seed", "-1"), "-1"),
    ],
)
def test_wrong_flags_end_with_one_sentence(
    drawer: Path, words: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["interpolate", str(drawer), *words]) == 2
    said = capsys.readouterr().err
    assert named in said and len(said.splitlines()) == 1


def test_a_detector_is_no_drawer(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["interpolate", "detector-iclevr-64"]) == 2
    assert "does not generate pictures" in capsys.readouterr().err
