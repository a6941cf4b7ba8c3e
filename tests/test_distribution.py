"""Distances of sets of features: closed forms, laws, and torchmetrics and scipy as oracles, to a millionth."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg
from torch import Tensor, nn
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image import PeakSignalNoiseRatio
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from telldraw.metrics.distribution import (
    Statistics,
    frechet_distance,
    inception_score,
    kernel_distance,
    precision_recall,
    r_precision,
    statistics,
)
from telldraw.metrics.reconstruction import psnr, ssim

pytestmark = pytest.mark.filterwarnings("ignore:Metric .* will save all extracted features:UserWarning")

seeds = st.integers(0, 2**32 - 1)
LAWS = settings(max_examples=15, deadline=None)


def sample(count: int, width: int, seed: int = 0, *, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    """Features of a skewed, correlated kind, as networks have them, float64 [count, width]."""
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=rng, dtype=torch.float64) / math.sqrt(width)
    return torch.randn(count, width, generator=rng, dtype=torch.float64).exp() @ mixing * scale + shift


def frechet(x: Tensor, y: Tensor) -> float:
    return frechet_distance(statistics(x), statistics(y))


def rotation(width: int, seed: int) -> Tensor:
    matrix = torch.randn(width, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(matrix).Q


def shuffled(x: Tensor, seed: int) -> Tensor:
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))]


# --- torchmetrics as the oracle, on the same features -------------------------------------------------------------


class Given(nn.Module):
    """In place of a network: its input already is the features."""

    num_features = 24

    def forward(self, features: Tensor) -> Tensor:
        return features


RELATIVE = 1e-6
SIZES = [(200, 200), (500, 311)]


@pytest.mark.parametrize(("real", "drawn"), SIZES)
def test_frechet_distance_is_that_of_torchmetrics(real: int, drawn: int) -> None:
    x, y = sample(real, 24, 1), sample(drawn, 24, 2, scale=1.2, shift=0.3)
    oracle = FrechetInceptionDistance(feature=Given())
    oracle.update(x, real=True)
    oracle.update(y, real=False)
    assert frechet(x, y) == pytest.approx(float(oracle.compute()), rel=RELATIVE)


@pytest.mark.parametrize(("real", "drawn"), SIZES)
def test_frechet_distance_is_that_of_the_released_code(real: int, drawn: int) -> None:
    """scipy's root of a matrix that is not symmetric, as in the FID's released code."""
    x, y = sample(real, 24, 3).numpy(), sample(drawn, 24, 4, shift=0.1).numpy()
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.asarray(linalg.sqrtm(a @ b))
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * np.trace(np.real(root))
    assert frechet(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(float(expected), rel=RELATIVE)


@pytest.mark.parametrize(("real", "drawn"), SIZES)
@pytest.mark.parametrize(("subsets", "size"), [(1, 200), (20, 50)])
def test_kernel_distance_is_that_of_torchmetrics(real: int, drawn: int, subsets: int, size: int) -> None:
    x, y = sample(real, 24, 5), sample(drawn, 24, 6, shift=0.2)
    oracle = KernelInceptionDistance(feature=Given(), subsets=subsets, subset_size=size)
    oracle.update(x, real=True)
    oracle.update(y, real=False)
    torch.manual_seed(9)  # both draw the same subsets
    mean, std = oracle.compute()
    found = kernel_distance(x, y, subsets=subsets, subset_size=size, seed=9)
    assert found.mean == pytest.approx(float(mean), rel=RELATIVE)
    assert found.std == pytest.approx(float(std), rel=RELATIVE, abs=1e-12)


@pytest.mark.parametrize("splits", [2, 4, 10])
def test_inception_score_is_that_of_torchmetrics(splits: int) -> None:
    logits = sample(200, 24, 7, scale=3)
    oracle = InceptionScore(feature=Given(), splits=splits)
    oracle.update(logits)
    torch.manual_seed(9)
    mean, std = oracle.compute()
    found = inception_score(logits, splits=splits, seed=9)
    assert found.mean == pytest.approx(float(mean), rel=RELATIVE)
    population = math.sqrt((splits - 1) / splits)  # theirs is that of a sample
    assert found.std == pytest.approx(float(std) * population, rel=RELATIVE)


def test_psnr_is_that_of_torchmetrics() -> None:
    drawn, true = torch.rand(2, 4, 3, 40, 33, generator=torch.Generator().manual_seed(1)).double() * 2 - 1
    oracle = PeakSignalNoiseRatio(data_range=2.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(psnr(drawn, true), oracle(drawn, true), rtol=RELATIVE, atol=0)


def test_ssim_is_that_of_torchmetrics_where_the_window_lies_inside_the_picture() -> None:
    """Torchmetrics mirrors the picture at its edges; Wang et al. leave out what would need that, and so do we."""
    drawn, true = torch.rand(2, 4, 3, 40, 33, generator=torch.Generator().manual_seed(2)).double() * 2 - 1
    _, everywhere = structural_similarity_index_measure(
        (drawn + 1) / 2, (true + 1) / 2, data_range=1.0, reduction="none", return_full_image=True
    )
    inside = torch.as_tensor(everywhere)[..., 5:-5, 5:-5].flatten(1).mean(1)
    torch.testing.assert_close(ssim(drawn, true), inside, rtol=RELATIVE, atol=0, check_dtype=False)


# --- the Fréchet distance -----------------------------------------------------------------------------------------


def gaussian(mean: list[float], variance: list[float]) -> Statistics:
    return Statistics(torch.tensor(mean).double(), torch.diag(torch.tensor(variance).double()), 1000)


def test_frechet_distance_of_two_gaussians_in_one_dimension() -> None:
    # (m_a - m_b)^2 + (s_a - s_b)^2
    assert frechet_distance(gaussian([1], [4]), gaussian([4], [25])) == pytest.approx(9 + 9)


def test_frechet_distance_of_gaussians_that_share_their_axes() -> None:
    a, b = gaussian([0, 1, 0], [1, 4, 9]), gaussian([2, 1, 0], [4, 0, 16])
    turn = rotation(3, 0)
    expected = 4 + 1 + 4 + 1
    assert frechet_distance(a, b) == pytest.approx(expected)
    turned = [Statistics(g.mean @ turn, turn.T @ g.covariance @ turn, g.n) for g in (a, b)]
    assert frechet_distance(*turned) == pytest.approx(expected)


@pytest.mark.parametrize("count", [10, 64, 200])
def test_equal_sets_are_at_distance_zero_with_fewer_pictures_than_features_too(count: int) -> None:
    x = sample(count, 64)
    scale = float(statistics(x).covariance.trace())
    assert 0 <= frechet(x, x) < 1e-10 * scale
    shifted = frechet(x, x + 0.5)
    assert shifted == pytest.approx(64 * 0.25, rel=1e-9)


def test_rounding_is_not_taken_for_features_where_pictures_have_none() -> None:
    """Two sets that differ in features which the other has not: their covariances have nothing in common."""
    turn = rotation(80, 0)
    x, y = sample(200, 40, 1) @ turn[:40], sample(200, 40, 2) @ turn[40:]
    a, b = statistics(x), statistics(y)
    expected = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace()
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-12)


def test_half_the_contrast_is_at_a_known_distance() -> None:
    x = sample(12, 40)
    x = x - x.mean(0)
    assert frechet(x, x / 2) == pytest.approx(float(statistics(x).covariance.trace()) / 4, rel=1e-9)


def test_few_pictures_of_the_same_kind_look_far_apart() -> None:
    """Why few pictures warn: the distance of two samples of one distribution shrinks with their size."""
    distances = [frechet(sample(n, 32, 0)[: n // 2], sample(n, 32, 0)[n // 2 :]) for n in (80, 800, 8000)]
    assert distances[0] > 3 * distances[1] > 9 * distances[2]


def test_statistics_are_numpys() -> None:
    x = sample(30, 8)
    found = statistics(x.float())
    np.testing.assert_allclose(found.mean, x.float().double().mean(0))
    np.testing.assert_allclose(found.covariance, np.cov(x.float().double().numpy(), rowvar=False), rtol=1e-10)
    assert found.n == 30 and found.covariance.dtype == torch.float64


@LAWS
@given(seeds, seeds)
def test_laws_of_the_frechet_distance(first: int, second: int) -> None:
    x, y = sample(40, 6, first), sample(30, 6, second, shift=0.5)
    distance = frechet(x, y)
    assert distance >= 0
    assert frechet(y, x) == pytest.approx(distance, rel=1e-9)
    assert frechet(shuffled(x, second), shuffled(y, first)) == pytest.approx(distance, rel=1e-9)
    turn = rotation(6, first)
    assert frechet(x @ turn + 3, y @ turn + 3) == pytest.approx(distance, rel=1e-8)
    assert frechet(2 * x, 2 * y) == pytest.approx(4 * distance, rel=1e-9)


# --- the kernel distance ------------------------------------------------------------------------------------------


def test_the_kernel_distance_of_known_features() -> None:
    # D = 1 and features of 0 and 1: k is 1 or, between two ones, 8
    zeros, ones = torch.zeros(5, 1), torch.ones(5, 1)
    assert kernel_distance(zeros, ones, subsets=1, subset_size=5).mean == pytest.approx(1 + 8 - 2 * 1)
    assert kernel_distance(ones, ones, subsets=1, subset_size=5).mean == pytest.approx(0)


def test_the_kernel_distance_of_one_distribution_is_zero_on_average() -> None:
    both = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0))
    x, y = both[:2000], both[2000:]
    near = kernel_distance(x, y, subsets=100, subset_size=100)
    far = kernel_distance(x, y + 0.5, subsets=100, subset_size=100)
    assert abs(near.mean) < near.std / 3  # unbiased: as often below zero as above
    assert far.mean > 10 * abs(near.mean)


def test_the_kernel_distance_depends_on_its_seed_and_on_nothing_else_that_is_random() -> None:
    x, y = sample(60, 5, 1), sample(70, 5, 2)
    torch.manual_seed(0)
    first = kernel_distance(x, y, subset_size=20, seed=3)
    torch.manual_seed(1)
    assert first == kernel_distance(x, y, subset_size=20, seed=3) != kernel_distance(x, y, subset_size=20, seed=4)


@LAWS
@given(seeds, seeds)
def test_laws_of_the_kernel_distance(first: int, second: int) -> None:
    x, y = sample(30, 6, first), sample(30, 6, second, shift=0.5)

    def whole(a: Tensor, b: Tensor) -> float:
        return kernel_distance(a, b, subsets=1, subset_size=30).mean

    distance = whole(x, y)
    size = float((x.square().sum(1).max() / 6 + 1) ** 3)  # of the kernel's values
    assert whole(y, x) == pytest.approx(distance, abs=1e-12 * size)
    assert whole(shuffled(x, second), y) == pytest.approx(distance, abs=1e-12 * size)
    turn = rotation(6, first)
    assert whole(x @ turn, y @ turn) == pytest.approx(distance, abs=1e-11 * size)


# --- the Inception Score ------------------------------------------------------------------------------------------


def test_uniform_logits_score_one_and_sure_and_varied_ones_score_their_number() -> None:
    assert inception_score(torch.zeros(40, 7), splits=4) == pytest.approx((1, 0))
    sure = torch.eye(5).repeat(20, 1) * 1000
    assert inception_score(sure, splits=1).mean == pytest.approx(5)
    assert inception_score(sure, splits=4, seed=None) == pytest.approx((5, 0))
    assert inception_score(sure[:1].repeat(40, 1), splits=2) == pytest.approx((1, 0))


def test_every_picture_is_in_a_part_when_the_parts_are_unequal() -> None:
    logits = torch.eye(3).repeat(9, 1)[:25] * 1000
    found = inception_score(logits, splits=2, seed=None)
    shares = [np.bincount(np.arange(25)[part] % 3) / n for part, n in ((slice(0, 13), 13), (slice(13, 25), 12))]
    entropies = [float(np.exp(-(share * np.log(share)).sum())) for share in shares]
    assert found.mean == pytest.approx(np.mean(entropies)) and found.std == pytest.approx(np.std(entropies))


@LAWS
@given(seeds)
def test_laws_of_the_inception_score(seed: int) -> None:
    logits = sample(24, 6, seed, scale=3)
    score = inception_score(logits, splits=1, seed=None).mean
    assert 1 - 1e-12 <= score <= 6
    assert inception_score(shuffled(logits, seed), splits=1, seed=None).mean == pytest.approx(score)
    assert inception_score(logits + 100, splits=1, seed=None).mean == pytest.approx(score)
    assert inception_score(logits, splits=3, seed=1) == inception_score(logits, splits=3, seed=1)


# --- precision and recall -----------------------------------------------------------------------------------------


def brute_force(real: np.ndarray, drawn: np.ndarray, k: int) -> tuple[float, float]:
    """Eq. 1 and 2 of the paper, word by word."""

    def radius(points: np.ndarray, i: int) -> float:
        others = [float(np.linalg.norm(points[i] - points[j])) for j in range(len(points)) if j != i]
        return sorted(others)[k - 1]

    def share(points: np.ndarray, centres: np.ndarray) -> float:
        radii = [radius(centres, i) for i in range(len(centres))]
        inside = [
            any(np.linalg.norm(point - centre) <= r for centre, r in zip(centres, radii, strict=True))
            for point in points
        ]
        return float(np.mean(inside))

    return share(drawn, real), share(real, drawn)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_precision_and_recall_are_those_of_brute_force(k: int, seed: int) -> None:
    both = sample(70, 3, seed)
    x, y = both[:40], both[40:] * 0.8 + 0.3
    expected = brute_force(x.numpy(), y.numpy(), k)
    found = precision_recall(x, y, neighbours=k)
    assert found == pytest.approx(expected)
    assert 0 < found.precision < 1 or 0 < found.recall < 1


def test_precision_and_recall_of_brute_force_where_points_lie_on_the_edge() -> None:
    """Whole numbers: many distances are equal, and rounding must not throw a point out of a ball."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, y = rng.integers(0, 6, (25, 2)).astype(float), rng.integers(0, 8, (20, 2)).astype(float)
        found = precision_recall(torch.from_numpy(x) + 1000, torch.from_numpy(y) + 1000)
        assert found == pytest.approx(brute_force(x, y, 3))


def test_precision_and_recall_of_equal_and_of_disjoint_sets() -> None:
    x = sample(50, 16)
    assert precision_recall(x, x) == (1, 1)
    assert precision_recall(x, x + 1000) == (0, 0)


def test_precision_and_recall_tell_narrow_from_wild_drawings() -> None:
    x, y = sample(400, 8, 1)[:200], sample(400, 8, 1)[200:]
    narrow, wild = precision_recall(x, x.mean(0) + 0.1 * (y - y.mean(0))), precision_recall(x, y * 5)
    assert narrow.precision > 0.9 and narrow.recall < 0.5
    assert wild.precision < 0.5 < wild.recall


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = sample(50, 4, 1), sample(41, 4, 2)
    whole = precision_recall(x, y), r_precision(x[:41], y, mismatched=9)
    monkeypatch.setattr("telldraw.metrics.distribution._CHUNK", 7)
    monkeypatch.setattr("telldraw.metrics.distribution._QUERIES", 8)
    assert (precision_recall(x, y), r_precision(x[:41], y, mismatched=9)) == whole


@LAWS
@given(seeds, seeds)
def test_laws_of_precision_and_recall(first: int, second: int) -> None:
    x, y = sample(30, 4, first), sample(25, 4, second, shift=0.3)
    found = precision_recall(x, y)
    assert precision_recall(y, x) == found[::-1]
    assert precision_recall(shuffled(x, second), shuffled(y, first)) == found
    turn = rotation(4, first)
    assert precision_recall(x @ turn * 3 + 1, y @ turn * 3 + 1) == found
    assert precision_recall(x, y, neighbours=5).precision >= found.precision


# --- R-precision --------------------------------------------------------------------------------------------------


def test_r_precision_is_one_where_words_fit_and_zero_where_all_others_fit_better() -> None:
    texts = torch.eye(120)
    assert r_precision(texts, texts) == 1
    assert r_precision(-texts, texts) == 0
    assert r_precision(texts * 7, texts * 0.1) == 1  # the cosine knows no length


def test_r_precision_by_chance() -> None:
    blind = torch.ones(150, 4)
    assert r_precision(blind, blind) == pytest.approx(0.01)  # all alike: the first place is shared by a hundred
    rng = torch.Generator().manual_seed(0)
    guess = r_precision(torch.randn(3000, 8, generator=rng), torch.randn(3000, 8, generator=rng))
    assert guess == pytest.approx(0.01, abs=0.006)


def test_r_precision_with_several_descriptions_each() -> None:
    texts = torch.eye(40).unsqueeze(1).repeat(1, 3, 1)
    assert r_precision(torch.eye(40), texts, mismatched=20) == 1
    texts[:, 2] = -texts[:, 2]  # one of three never is among the first three
    assert r_precision(torch.eye(40), texts, mismatched=20) == pytest.approx(2 / 3)


def test_pictures_of_one_group_are_not_each_others_mismatch() -> None:
    texts = torch.eye(20).repeat_interleave(5, 0)
    groups = torch.arange(20).repeat_interleave(5)
    assert r_precision(texts, texts, groups=groups, mismatched=95) == 1
    assert r_precision(texts, texts, mismatched=99) == pytest.approx(1 / 5)


@LAWS
@given(seeds)
def test_r_precision_with_all_others_is_plain_ranking(seed: int) -> None:
    image, text = sample(20, 5, seed), sample(20, 5, seed + 1)
    cosine = (image / image.norm(dim=1, keepdim=True)) @ (text / text.norm(dim=1, keepdim=True)).T
    expected = float((cosine.argmax(1) == torch.arange(20)).double().mean())
    assert r_precision(image, text, mismatched=19) == pytest.approx(expected)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(seed))
    assert r_precision(image[order], text[order], mismatched=19) == pytest.approx(expected)


# --- what is refused ----------------------------------------------------------------------------------------------


def test_what_is_no_set_of_features_is_refused() -> None:
    x = sample(20, 4)
    bad = x.clone()
    bad[3, 2] = math.nan
    for call in (
        lambda: statistics(x[:1]),
        lambda: statistics(x[0]),
        lambda: statistics(bad),
        lambda: frechet_distance(statistics(x), statistics(x[:, :3])),
        lambda: kernel_distance(x, x[:, :3], subset_size=5),
        lambda: kernel_distance(x, x, subset_size=21),
        lambda: kernel_distance(x, x, subset_size=1),
        lambda: inception_score(x, splits=21),
        lambda: inception_score(x, splits=0),
        lambda: inception_score(bad),
        lambda: precision_recall(x, x[:3]),
        lambda: precision_recall(x, x, neighbours=0),
        lambda: r_precision(x, x, mismatched=20),
        lambda: r_precision(x, x, mismatched=0),
        lambda: r_precision(x, x[:19], mismatched=5),
        lambda: r_precision(x, x, mismatched=16, groups=torch.arange(20) // 5),
    ):
        with pytest.raises(ValueError):
            call()
