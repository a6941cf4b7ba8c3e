"""Whether vectors know the style of pictures: K-means, pairs, areas and curves, by hand and by their properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from telldraw.metrics.conditional import auc
from telldraw.metrics.style import RATES, clusters, correlation, frame, roc, same_style

seeds = st.integers(0, 10_000)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def groups(cluster: Tensor) -> set[frozenset[int]]:
    """Which belong together, whatever their cluster is called."""
    return {frozenset((cluster == number).nonzero()[:, 0].tolist()) for number in cluster.unique()}


# --- K-means --------------------------------------------------------------------------------------------------------


def test_groups_that_lie_apart_are_found() -> None:
    kinds = torch.arange(60) % 6
    centres = torch.tensor([[0.0, 0], [9, 0], [0, 9], [9, 9], [20, 5], [-9, -9]])
    found = clusters(centres[kinds] + 0.3 * normal(0, 60, 2), 6)
    assert groups(found) == groups(kinds)


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(1, 12))
def test_every_cluster_has_members_and_each_is_nearest_to_its_own_mean(seed: int, count: int) -> None:
    values = normal(seed, 40, 3)
    found = clusters(values, count, seed=seed)
    assert sorted(found.unique().tolist()) == list(range(count))
    means = torch.stack([values[found == number].mean(0) for number in range(count)])
    nearest = torch.cdist(values, means).argmin(1)
    assert torch.equal(nearest, found)
    assert torch.equal(found, clusters(values, count, seed=seed)), "the same seed, the same clusters"


def test_it_ends_as_well_as_another_implementation() -> None:
    from scipy.cluster.vq import kmeans2

    def squares(values: Tensor, own: Tensor) -> float:
        return sum(float((values[own == n] - values[own == n].mean(0)).square().sum()) for n in own.unique().tolist())

    values = torch.rand(400, 3, generator=torch.Generator().manual_seed(3)).double()
    theirs = min(
        squares(values, torch.from_numpy(kmeans2(values.numpy(), 20, minit="++", rng=seed, missing="raise")[1]))
        for seed in range(4)
    )
    assert squares(values, clusters(values, 20)) < 1.05 * theirs


def test_equal_values_are_one_cluster_however_many_are_asked_for() -> None:
    values = torch.tensor([[0.0], [1.0], [1.0], [5.0], [0.0]])
    assert groups(clusters(values, 100)) == {frozenset({0, 4}), frozenset({1, 2}), frozenset({3})}
    assert clusters(torch.zeros(7, 2), 3).tolist() == [0] * 7


@pytest.mark.parametrize(
    "values, count", [(torch.zeros(0, 2), 3), (torch.tensor([[math.nan]]), 1), (torch.ones(2, 1), 0)]
)
def test_what_cannot_be_grouped_is_refused(values: Tensor, count: int) -> None:
    with pytest.raises(ValueError, match="K-means needs"):
        clusters(values, count)


# --- the curve ------------------------------------------------------------------------------------------------------


def test_a_curve_by_hand() -> None:
    false, true = roc(torch.tensor([3.0, 2.0, 0.0]), torch.tensor([2.0, 1.0]))
    # thresholds 3, 2 (one of each), 1, 0
    torch.testing.assert_close(false, torch.tensor([0, 0, 0.5, 1, 1], dtype=torch.float64))
    torch.testing.assert_close(true, torch.tensor([0, 1 / 3, 2 / 3, 2 / 3, 1], dtype=torch.float64))


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_the_area_under_the_curve_is_the_share_of_pairs(positive: list[int], negative: list[int]) -> None:
    scores = torch.tensor(positive).double(), torch.tensor(negative).double()
    false, true = roc(*scores)
    assert float(torch.trapezoid(true, false)) == pytest.approx(auc(*scores))
    by_counting = np.mean([(p > n) + (p == n) / 2 for p in positive for n in negative])
    assert auc(*scores) == pytest.approx(by_counting)
    assert bool((false.diff() >= 0).all()) and bool((true.diff() >= 0).all())


# --- pairs ----------------------------------------------------------------------------------------------------------


def test_a_small_example_by_hand() -> None:
    vectors = torch.tensor([[2.0, 0.0], [8.0, 6.0], [0.0, 5.0], [0.6, 0.8]])
    # one cluster: 0.8 (0, 1) and 0.8 (2, 3); two clusters: 0, 0.6, 0.6 and, above both, 0.96 (1, 3)
    found = same_style(vectors, torch.tensor([0, 0, 1, 1]), folds=1)
    assert found.mean == pytest.approx(6 / 8) and found.pairs == 2
    assert math.isnan(found.deviation)


def test_random_vectors_know_nothing_and_the_style_itself_much() -> None:
    style = torch.rand(600, 3, generator=torch.Generator().manual_seed(0))
    cluster = clusters(style, 40)
    nothing = same_style(normal(1, 600, 100), cluster)
    assert len(nothing.auc) == 5 and abs(nothing.mean - 0.5) < 0.02
    known = same_style(style - 0.5, cluster)
    assert known.mean > 0.95 and known.deviation < 0.02
    # a vector with the style in it, and as much else
    mixed = torch.cat([style - 0.5, 0.3 * normal(2, 600, 20)], 1)
    assert nothing.mean + 0.05 < same_style(mixed, cluster).mean < known.mean - 0.05


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_what_does_not_matter_changes_nothing(seed: int) -> None:
    vectors, cluster = normal(seed, 30, 4), torch.arange(30) % 5
    found = same_style(vectors, cluster, folds=3, seed=seed)
    lengths = torch.rand(30, 1, generator=torch.Generator().manual_seed(seed)) + 0.1
    turned = torch.linalg.qr(normal(seed + 1, 4, 4))[0]
    for other, named in ((vectors * lengths, cluster), (vectors @ turned, cluster), (vectors, 7 - cluster)):
        torch.testing.assert_close(same_style(other, named, folds=3, seed=seed).auc, found.auc, atol=1e-9, rtol=0)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    whole, shuffled = same_style(vectors, cluster, folds=1), same_style(vectors[order], cluster[order], folds=1)
    assert whole.mean == pytest.approx(shuffled.mean)


def test_the_mean_curve_has_the_mean_area() -> None:
    vectors, cluster = normal(0, 300, 3), torch.arange(300) % 4
    vectors[:, 0] += cluster
    found = same_style(vectors, cluster)
    assert float(torch.trapezoid(found.curve, RATES)) == pytest.approx(found.mean, abs=0.01)
    assert found.curve[0] >= 0 and found.curve[-1] == 1 and bool((found.curve.diff() >= 0).all())


def test_folds_without_pairs_are_left_out() -> None:
    vectors = normal(0, 5, 2)
    found = same_style(vectors, torch.tensor([0, 0, 0, 1, 2]), folds=2, seed=1)
    assert found.auc.isnan().sum() <= 1 and not math.isnan(found.mean)
    with pytest.raises(ValueError, match="too few pictures"):
        same_style(vectors, torch.arange(5))  # each picture a cluster of its own
    with pytest.raises(ValueError, match="too few pictures"):
        same_style(vectors, torch.zeros(5), folds=1)


# --- what is known of pictures --------------------------------------------------------------------------------------


def test_the_frame_is_the_edge_alone() -> None:
    images = torch.zeros(2, 3, 64, 64)
    images[:, :, 1:-1, 1:-1] = 9.0  # whatever is inside
    images[1, 2] += 0.5
    torch.testing.assert_close(frame(images), torch.tensor([[0, 0, 0], [0, 0, 0.5]], dtype=torch.float64))
    wide = torch.zeros(1, 1, 128, 128)
    wide[0, 0, 2:-2, 2:-2] = 1
    assert float(frame(wide)) == 0 and float(frame(1 - wide)) == 1


def test_correlations_are_those_of_numpy() -> None:
    found, true = normal(0, 50, 3), normal(1, 50, 3)
    true[:, 1] = -2 * found[:, 1] + 1
    true[:, 2] = 4
    mine = correlation(found, true)
    assert mine[0] == pytest.approx(np.corrcoef(found[:, 0], true[:, 0])[0, 1])
    assert mine[1] == pytest.approx(-1) and mine[2] == 0
