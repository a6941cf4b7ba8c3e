"""The Parzen window: closed forms, scipy as the oracle, the protocol, and what is refused."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from telldraw.errors import DataError
from telldraw.metrics import parzen as module
from telldraw.metrics.parzen import SIGMAS, log_likelihood, parzen

gaussian: Any = stats.multivariate_normal


def uniform(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_widths_are_those_of_the_papers() -> None:
    np.testing.assert_allclose(SIGMAS, np.logspace(-1, 0, 10), rtol=1e-12)


def test_one_centre_is_a_gaussian() -> None:
    x, centre = uniform(5, 3), uniform(1, 3, seed=1)
    expected = gaussian(centre[0].numpy(), 0.3**2).logpdf(x.numpy())
    np.testing.assert_allclose(log_likelihood(x, centre, [0.3])[0], expected, rtol=1e-12)


def test_in_one_dimension_it_is_the_kernel_density_estimate_of_scipy() -> None:
    centres, x = uniform(40, 1), uniform(25, 1, seed=1)
    estimate = stats.gaussian_kde(
        centres[:, 0].numpy(), bw_method=0.17 / centres.std().item()
    )  # times the deviation of them
    np.testing.assert_allclose(log_likelihood(x, centres, [0.17])[0], estimate.logpdf(x[:, 0].numpy()), rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 6), st.floats(0.05, 2), st.integers(0, 2**32 - 1))
def test_it_is_the_mixture_written_out(points: int, centres: int, width: int, sigma: float, seed: int) -> None:
    x, mu = uniform(points, width, seed=seed), uniform(centres, width, seed=seed + 1)
    density = np.mean([gaussian(each, sigma**2).pdf(x.numpy()).reshape(-1) for each in mu.numpy()], axis=0)
    np.testing.assert_allclose(log_likelihood(x, mu, [sigma])[0].exp(), density, rtol=1e-8)


def test_in_many_dimensions_nothing_underflows() -> None:
    """784 pixels at sigma 0.1: the density itself is far beyond what a double holds."""
    x, mu = uniform(2, 784), uniform(3, 784, seed=1)
    exponents = -((x.unsqueeze(1) - mu) ** 2).sum(2) / (2 * 0.1**2)
    assert float(exponents.max()) < -1000
    best = exponents.max(1, keepdim=True).values
    expected = (exponents - best).exp().mean(1).log() + best[:, 0] - 784 * math.log(0.1 * math.sqrt(2 * math.pi))
    torch.testing.assert_close(log_likelihood(x, mu, [0.1])[0], expected, rtol=1e-10, atol=0)


def test_the_answer_does_not_depend_on_how_much_fits_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    x, mu = uniform(50, 4), uniform(30, 4, seed=1)
    whole = log_likelihood(x, mu, SIGMAS)
    monkeypatch.setattr(module, "_CELLS", 70)  # two rows at a time
    torch.testing.assert_close(log_likelihood(x, mu, SIGMAS), whole)


def test_the_protocol_picks_sigma_on_the_first_validation_pictures_alone() -> None:
    drawn, test = uniform(200, 5), uniform(100, 5, seed=1)
    validation = torch.cat([uniform(50, 5, seed=2), drawn.repeat(5, 1)])  # what follows would ask for the least sigma
    found = parzen(drawn, validation, test, picks=50)
    means = log_likelihood(validation[:50], drawn, SIGMAS).mean(1)
    assert found.sigma == SIGMAS[int(means.argmax())] > SIGMAS[0]
    assert parzen(drawn, validation[50:], test, picks=50).sigma == SIGMAS[0]
    each = log_likelihood(test, drawn, [found.sigma])[0].numpy()
    assert found.mean == pytest.approx(each.mean())
    assert found.error == pytest.approx(each.std() / math.sqrt(100))


def test_pictures_of_any_shape_are_rows_of_pixels() -> None:
    drawn, held, test = uniform(20, 1, 3, 3), uniform(20, 1, 3, 3, seed=1), uniform(20, 1, 3, 3, seed=2)
    assert parzen(drawn, held, test) == parzen(drawn.flatten(1), held.flatten(1), test.flatten(1))


@pytest.mark.parametrize("which", ["drawn", "validation", "test"])
@pytest.mark.parametrize("pixels", [(-1.0, 1.0), (0.0, 255.0), (0.0, math.nan)])
def test_pixels_outside_0_to_1_are_refused_in_a_sentence(which: str, pixels: tuple[float, float]) -> None:
    drawn, validation, test = (
        torch.tensor([pixels, (0.5, 0.5)]) if which == name else uniform(4, 2)
        for name in ("drawn", "validation", "test")
    )
    with pytest.raises(DataError, match=rf"pixels in \[0, 1\], and those of the {which} pictures reach from"):
        parzen(drawn, validation, test)


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(DataError, match="no drawn pictures"):
        parzen(torch.zeros(0, 4), uniform(3, 4), uniform(3, 4))
    with pytest.raises(DataError, match="points have 4 numbers and the drawn pictures 5"):
        parzen(uniform(3, 5), uniform(3, 4), uniform(3, 4))
    with pytest.raises(ValueError, match="above 0"):
        log_likelihood(uniform(3, 4), uniform(3, 4), [0.0])
