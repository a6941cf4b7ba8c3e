"""PSNR, SSIM and L1 against closed forms."""

import math

import pytest
import torch
from torch import Tensor

from telldraw.metrics.reconstruction import CEILING, K1, SIGMA, WINDOW, l1, psnr, reconstruction, ssim


def pictures(count: int = 3, side: int = 24) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def constant(value: float, side: int = 16) -> Tensor:
    return torch.full((1, 3, side, side), value)


def test_psnr_of_a_known_error() -> None:
    drawn, true = constant(0.0), constant(0.2)  # an error of a tenth of the range
    assert psnr(drawn, true).item() == pytest.approx(20.0, abs=1e-4)
    assert l1(drawn, true).item() == pytest.approx(0.1)


def test_psnr_of_one_grey_level_of_255() -> None:
    assert psnr(constant(0.0), constant(2 / 255)).item() == pytest.approx(20 * math.log10(255), abs=1e-3)


def test_equal_pictures_get_the_ceiling_and_the_smallest_error_stays_below_it() -> None:
    true = constant(-1.0, side=128)
    drawn = true.clone()
    drawn[0, 0, 0, 0] += 2 / 255
    assert psnr(true, true).item() == CEILING
    assert 90 < psnr(drawn, true).item() < CEILING


def test_each_picture_has_its_own_figure() -> None:
    true = pictures()
    drawn = true.clone()
    drawn[1] = -drawn[1]
    for metric in (psnr, ssim, l1):
        together = metric(drawn, true)
        assert together.shape == (3,)
        alone = torch.cat([metric(drawn[i : i + 1], true[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(together, alone)


def test_ssim_of_equal_pictures_is_one() -> None:
    torch.testing.assert_close(ssim(pictures(), pictures()), torch.ones(3))


def test_ssim_is_symmetric() -> None:
    drawn, true = pictures(), pictures().flip(0)
    torch.testing.assert_close(ssim(drawn, true), ssim(true, drawn))


@pytest.mark.parametrize(("dark", "light"), [(-0.5, 0.5), (-1.0, 1.0), (0.0, 0.1)])
def test_ssim_of_constant_pictures_is_the_luminance_term(dark: float, light: float) -> None:
    a, b = (dark + 1) / 2, (light + 1) / 2
    expected = (2 * a * b + K1**2) / (a * a + b * b + K1**2)
    assert ssim(constant(dark), constant(light)).item() == pytest.approx(expected, abs=1e-3)


def test_ssim_of_an_inverted_texture_is_negative() -> None:
    # equal means, opposite covariance: luminance 1, structure about -1
    checks = ((torch.arange(24).view(-1, 1) + torch.arange(24)) % 2 * 1.0 - 0.5).expand(1, 3, 24, 24)
    assert ssim(checks, -checks).item() < -0.9


def test_ssim_agrees_with_its_formula_written_out_for_one_window() -> None:
    drawn, true = pictures(1, WINDOW), pictures(2, WINDOW)[1:]  # one window fits exactly once
    offset = torch.arange(WINDOW).double() - WINDOW // 2
    weight = torch.exp(-(offset.view(-1, 1) ** 2 + offset**2) / (2 * SIGMA**2))
    weight = weight / weight.sum()
    per_channel = []
    for channel in range(3):
        x, y = (drawn[0, channel].double() + 1) / 2, (true[0, channel].double() + 1) / 2
        mx, my = (weight * x).sum(), (weight * y).sum()
        vx, vy = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum()
        cov = (weight * (x - mx) * (y - my)).sum()
        c1, c2 = 0.01**2, 0.03**2
        per_channel.append((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert ssim(drawn, true).item() == pytest.approx(torch.stack(per_channel).mean().item(), abs=1e-5)


def test_more_noise_is_worse_in_every_metric() -> None:
    true, noise = pictures() / 2, pictures().flip(0) / 2
    little, much = true + 0.1 * noise, true + 0.5 * noise
    assert bool((psnr(little, true) > psnr(much, true)).all())
    assert bool((ssim(little, true) > ssim(much, true)).all())
    assert bool((l1(little, true) < l1(much, true)).all())


def test_different_shapes_are_refused() -> None:
    for metric in (psnr, ssim, l1):
        with pytest.raises(ValueError, match="expected"):
            metric(pictures(2), pictures(3))


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    with pytest.raises(ValueError, match="at least 11"):
        ssim(constant(0, side=8), constant(0, side=8))


def test_the_scorer_gives_all_three() -> None:
    figures = reconstruction(pictures(), pictures(), torch.zeros(3, 2), torch.zeros(3, 2, 3))
    assert set(figures) == {"psnr", "ssim", "l1"}
    assert all(values.shape == (3,) for values in figures.values())
