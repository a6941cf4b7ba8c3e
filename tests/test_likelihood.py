"""Likelihoods of a split: closed forms, standard errors, independence of batches; and `telldraw evaluate` with them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pictures_like import make_pictures
from telldraw import pixels
from telldraw.cli import main
from telldraw.metrics import likelihood as module
from telldraw.metrics.likelihood import black_or_white, bounds, importance_weighted_bound, likelihood, summary
from telldraw.metrics.reconstruction import mse, psnr, reconstructed


def test_mean_standard_error_and_bits_by_hand() -> None:
    found = summary(torch.tensor([-1.0, -2.0, -6.0]), dimensions=4)
    assert found.nats == pytest.approx(3)
    assert found.error == pytest.approx(math.sqrt(7) / math.sqrt(3))  # variance (4 + 1 + 9) / 2
    assert found.bits == pytest.approx(3 / (4 * math.log(2)))
    assert found.bits_error == pytest.approx(found.error / (4 * math.log(2)))
    assert summary(torch.tensor([-1.0]), 4).error == 0


def test_the_importance_weighted_bound_by_hand() -> None:
    weights = torch.tensor([[0.1, 0.5], [0.3, 0.5]]).log()
    torch.testing.assert_close(importance_weighted_bound(weights).exp(), torch.tensor([0.2, 0.5]))
    torch.testing.assert_close(importance_weighted_bound(weights[:1]), weights[0])
    torch.testing.assert_close(importance_weighted_bound(weights - 1e4), torch.tensor([0.2, 0.5]).log() - 1e4)


class FairCoins:
    """Each pixel is white with probability `share`, whatever the picture."""

    latent_dim = 2

    def __init__(self, share: float) -> None:
        self.share = share

    def log_likelihood(self, images: Tensor) -> Tensor:
        white = (images > 0).flatten(1).sum(1)
        return white * math.log(self.share) + (images[0].numel() - white) * math.log(1 - self.share)

    def log_weights(self, images: Tensor, noise: Tensor) -> Tensor:
        assert noise.shape[1:] == (len(images), 2)
        return self.log_likelihood(images) - noise.square().sum(2)


IMAGES = np.random.default_rng(0).integers(0, 256, (250, 1, 4, 4), dtype=np.uint8)


def test_a_fair_coin_costs_one_bit_a_pixel() -> None:
    found = likelihood(FairCoins(0.5), IMAGES, range(250))
    assert found.bits == pytest.approx(1) and found.dimensions == 16
    assert found.nats == pytest.approx(16 * math.log(2)) and found.error == pytest.approx(0, abs=1e-6)


def test_only_the_rows_that_were_named_are_measured() -> None:
    rows = range(7, 120)
    done: list[int] = []
    found = likelihood(FairCoins(0.2), IMAGES, rows, progress=done.append)
    white = (IMAGES[7:120] > 127).sum((1, 2, 3))
    assert found.nats == pytest.approx(-(white * math.log(0.2) + (16 - white) * math.log(0.8)).mean(), rel=1e-5)
    assert done == [100, 113]


def test_figures_do_not_depend_on_how_many_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    together = bounds(FairCoins(0.3), IMAGES, range(250), codes=5, seed=4, stochastic=True)
    monkeypatch.setattr(module, "_PICTURES", 7)
    monkeypatch.setattr(module, "_CODES", 14)
    apart = bounds(FairCoins(0.3), IMAGES, range(250), codes=5, seed=4, stochastic=True)
    assert apart.elbo.nats == pytest.approx(together.elbo.nats, rel=1e-6)
    assert apart.importance.nats == pytest.approx(together.importance.nats, rel=1e-6)
    assert bounds(FairCoins(0.3), IMAGES, range(250), codes=5, seed=5).elbo.nats != together.elbo.nats


def test_the_bounds_of_noisy_weights_are_ordered_and_right() -> None:
    """log w = log p - |eps|^2 for two numbers: E log w = log p - 2, and E w = p / 3."""
    exact = likelihood(FairCoins(0.4), IMAGES, range(250)).nats
    found = bounds(FairCoins(0.4), IMAGES, range(250), codes=256)
    assert found.elbo.nats == pytest.approx(exact + 2, abs=0.05)
    assert found.importance.nats == pytest.approx(exact + math.log(3), abs=0.02)
    assert found.importance.nats < found.elbo.nats
    one = bounds(FairCoins(0.4), IMAGES, range(250), codes=1)
    assert one.importance.nats == pytest.approx(one.elbo.nats)


def test_grey_becomes_black_or_white_with_its_own_share() -> None:
    images = pixels.to_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).view(3, 1, 1, 1).expand(3, 1, 200, 200)
    drawn = black_or_white(images, np.random.default_rng(0))
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    share = ((drawn + 1) / 2).mean((1, 2, 3))
    assert share[0] == 0 and share[2] == 1 and share[1].item() == pytest.approx(0.2, abs=0.01)


class Darker:
    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, code: Tensor) -> Tensor:
        return code - 0.2


def test_reconstructions_are_compared_with_their_pictures() -> None:
    found = {name: values for name, _, values in reconstructed(Darker(), IMAGES, range(3, 250))}
    assert set(found) == {"mse", "psnr", "l1"}, "the pictures are too small for SSIM's window"
    torch.testing.assert_close(found["mse"], torch.full((247,), 0.01), rtol=1e-4, atol=0)
    torch.testing.assert_close(found["psnr"], torch.full((247,), 20.0), rtol=1e-4, atol=0)
    torch.testing.assert_close(found["l1"], torch.full((247,), 0.1), rtol=1e-4, atol=0)
    large = np.zeros((2, 3, 11, 11), np.uint8)
    assert "ssim" in {name for name, _, _ in reconstructed(Darker(), large, range(2))}


def test_psnr_is_made_of_the_mean_squared_error() -> None:
    drawn, true = torch.rand(4, 3, 8, 8) * 2 - 1, torch.rand(4, 3, 8, 8) * 2 - 1
    expected = ((drawn - true) / 2).square().mean((1, 2, 3))
    torch.testing.assert_close(mse(drawn, true), expected)
    torch.testing.assert_close(psnr(drawn, true), -10 * expected.log10())


# telldraw evaluate


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("bars") / "bars.telldraw")


@pytest.fixture(scope="module")
def run(bars: Path) -> Path:
    out = bars.parent / "run"
    sizes = ("--config.resolution", "28", "--config.rate", "0.005", "--config.binarise", "stochastic")
    words = ["train", "vae", "--data", str(bars), "--preset", "tiny", "--out", str(out), *sizes, "--examples", "800"]
    assert main(words) == 0
    return out


def figures(run: Path, bars: Path, out: Path, *more: str) -> dict[str, float]:
    words = [
        "evaluate",
        str(run),
        "--data",
        str(bars),
        "--importance",
        "8",
        "--samples",
        "20",
        "--out",
        str(out),
        *more,
    ]
    assert main(words) == 0
    report = json.loads((out / "evaluation.json").read_text())
    assert (out / "reconstructions.png").stat().st_size > 100
    return {name: figure["value"] for name, figure in report["figures"].items()}


def test_an_evaluation_has_both_bounds_and_the_reconstructions(run: Path, bars: Path, tmp_path: Path) -> None:
    found = figures(run, bars, tmp_path / "one")
    assert found["nll_nats_importance_8"] < found["nll_nats"] < 300
    assert found["nll_bits"] == pytest.approx(found["nll_nats"] / (784 * math.log(2)))
    assert 0 < found["reconstruction_mse"] < 0.25 and found["reconstruction_ssim"] < 1
    other = figures(run, bars, tmp_path / "two", "--batch-size", "3")
    assert other["nll_nats"] == pytest.approx(found["nll_nats"], abs=1e-3)


def test_without_codes_the_bound_of_the_system_itself_is_measured(run: Path, bars: Path, tmp_path: Path) -> None:
    found = figures(run, bars, tmp_path / "none", "--importance", "0")
    with_codes = figures(run, bars, tmp_path / "codes")
    assert "nll_nats_importance_0" not in found
    assert found["nll_nats"] == pytest.approx(with_codes["nll_nats"], rel=0.1)


def test_less_than_no_codes_cannot_be_drawn(run: Path, bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--data", str(bars), "--importance", "-1"]) == 2
    assert capsys.readouterr().err == "telldraw: --importance -1: at least 0 is needed\n"
