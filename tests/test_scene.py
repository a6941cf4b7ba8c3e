"""GeNeVA's scores: closed forms on hand-made scenes, an oracle made of loops and sets, and what must hold always."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from telldraw.metrics import scene
from telldraw.metrics.published import PUBLISHED, row_name

Scene = tuple[list[bool], list[tuple[float, float]]]


def tensors(*scenes: Scene) -> tuple[Tensor, Tensor]:
    return torch.tensor([named for named, _ in scenes]), torch.tensor([places for _, places in scenes])


def similarity(drawn: Scene, true: Scene) -> float:
    named, place = tensors(drawn)
    there, where = tensors(true)
    return float(scene.relational_similarity(named, place, there, where))


# --- an oracle: the definition, one object after the other --------------------------------------------------------


def sign(a: float, b: float) -> int:
    return (a > b) - (a < b)


def naive(drawn: Scene, true: Scene) -> dict[str, float]:
    found = {index for index, is_there in enumerate(drawn[0]) if is_there}
    wanted = {index for index, is_there in enumerate(true[0]) if is_there}
    both = found & wanted
    equal = total = 0
    for axis in (0, 1):
        for one in both:
            for other in both:
                signs = []
                for _, places in (drawn, true):
                    against = 0.5 if one == other else float(np.float32(places[other][axis]))
                    signs.append(sign(float(np.float32(places[one][axis])), against))
                equal += signs[0] == signs[1]
                total += 1
    recall = len(both) / len(wanted) if wanted else 0.0
    return {
        "precision": len(both) / len(found) if found else 0.0,
        "recall": recall,
        "f1": 2 * len(both) / (len(found) + len(wanted)) if found or wanted else 0.0,
        "similarity": equal / total * recall if total else 0.0,
    }


coordinate = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(-0.25, 1.25, width=32)
scenes = st.integers(1, 6).flatmap(
    lambda count: st.lists(
        st.tuples(
            st.lists(st.booleans(), min_size=count, max_size=count),
            st.lists(st.tuples(coordinate, coordinate), min_size=count, max_size=count),
        ),
        min_size=2,
        max_size=2,
    )
)


@settings(deadline=None)
@given(scenes)
def test_all_scores_are_those_of_the_definition(pair: list[Scene]) -> None:
    drawn, true = pair
    wanted = naive(drawn, true)
    (named, _), (there, _) = tensors(drawn), tensors(true)
    assert float(scene.precision(named, there)) == pytest.approx(wanted["precision"])
    assert float(scene.recall(named, there)) == pytest.approx(wanted["recall"])
    assert float(scene.f1(named, there)) == pytest.approx(wanted["f1"])
    assert similarity(drawn, true) == pytest.approx(wanted["similarity"], abs=1e-6)


@settings(deadline=None)
@given(scenes, st.randoms(use_true_random=False))
def test_the_order_of_the_classes_changes_nothing(pair: list[Scene], random: "np.random.RandomState") -> None:
    order = list(range(len(pair[0][0])))
    random.shuffle(order)
    turned = [([named[i] for i in order], [places[i] for i in order]) for named, places in pair]
    assert similarity(*turned) == pytest.approx(similarity(*pair))


@settings(deadline=None)
@given(scenes)
def test_a_picture_against_itself_scores_one_if_anything_is_in_it(pair: list[Scene]) -> None:
    picture = pair[0]
    wanted = float(any(picture[0]))
    assert similarity(picture, picture) == wanted
    named, _ = tensors(picture)
    for score in (scene.precision, scene.recall, scene.f1):
        assert float(score(named, named)) == wanted


@settings(deadline=None)
@given(scenes)
def test_mirrored_left_to_right_no_relation_in_x_is_kept_that_was_not_a_tie(pair: list[Scene]) -> None:
    named, places = pair[0]
    mirrored = named, [(1 - x, y) for x, y in places]
    inside = [float(np.float32(places[i][0])) for i in range(len(named)) if named[i]]
    other = [float(np.float32(1) - np.float32(x)) for x in inside]
    count = len(inside)
    if not count:
        return
    tied = sum(
        sign(x, 0.5 if i == j else y) == sign(u, 0.5 if i == j else v)
        for i, (x, u) in enumerate(zip(inside, other, strict=True))
        for j, (y, v) in enumerate(zip(inside, other, strict=True))
    )
    assert similarity(mirrored, pair[0]) == pytest.approx((count * count + tied) / (2 * count * count))


# --- closed forms -------------------------------------------------------------------------------------------------

LEFT, RIGHT, TOP = (0.2, 0.6), (0.8, 0.7), (0.4, 0.1)


def test_three_objects_of_which_one_moves_across_another_loses_two_of_eighteen() -> None:
    """The first goes from left of the third to right of it, and stays left of the centre: both its pairs in x turn."""
    true: Scene = [True] * 3, [LEFT, RIGHT, TOP]
    moved: Scene = [True] * 3, [(0.45, 0.6), RIGHT, TOP]
    assert similarity(moved, true) == pytest.approx(16 / 18)


def test_mirrored_by_hand() -> None:
    true: Scene = [True] * 3, [LEFT, RIGHT, TOP]
    assert similarity(([True] * 3, [(1 - x, y) for x, y in true[1]]), true) == 0.5


def test_one_common_object_is_compared_with_the_centre() -> None:
    true: Scene = [True, True], [LEFT, RIGHT]
    assert similarity(([True, False], [(0.1, 0.9), RIGHT]), true) == 0.5  # both relations right, half of the objects
    assert similarity(([True, False], [(0.1, 0.4), RIGHT]), true) == 0.25
    assert similarity(([True, False], [(0.5, 0.4), RIGHT]), true) == 0.0  # on the centre is neither side of it


def test_nothing_in_common_scores_nothing() -> None:
    true: Scene = [True, False], [LEFT, RIGHT]
    assert similarity(([False, True], [LEFT, RIGHT]), true) == 0
    assert similarity(([False, False], [LEFT, RIGHT]), true) == 0
    assert similarity(true, ([False, False], [LEFT, RIGHT])) == 0


def test_what_is_found_too_much_costs_precision_and_no_relation() -> None:
    true: Scene = [True, True, False], [LEFT, RIGHT, TOP]
    assert similarity(([True] * 3, true[1]), true) == 1
    named, there = torch.tensor([[True, True, True]]), torch.tensor([true[0]])
    assert float(scene.precision(named, there)) == pytest.approx(2 / 3)
    assert float(scene.recall(named, there)) == 1
    assert float(scene.f1(named, there)) == pytest.approx(0.8)


def test_the_two_f1_differ_and_the_published_rows_are_of_the_kind_they_say() -> None:
    """Pictures of F1 1 and 0: the mean is 1/2, and so is the harmonic mean; with 1/2 and 1 they differ."""
    named = torch.tensor([[True, False], [True, True]])
    there = torch.tensor([[True, True], [True, True]])
    assert float(scene.f1(named, there).mean()) == pytest.approx((2 / 3 + 1) / 2)
    assert scene.harmonic_mean(1.0, 0.75) == pytest.approx(6 / 7)
    assert scene.harmonic_mean(0, 0) == 0
    for rows in PUBLISHED.values():
        for row in rows:
            is_harmonic = abs(scene.harmonic_mean(row.precision, row.recall) - row.f1) < 0.02
            assert row.samples or is_harmonic, row.method


def test_a_matrix_is_antisymmetric_but_for_its_diagonal() -> None:
    matrix = scene.relations(torch.tensor([[LEFT, RIGHT, TOP]]))
    assert matrix.shape == (1, 2, 3, 3)
    off = matrix - torch.diag_embed(matrix.diagonal(dim1=2, dim2=3))
    assert torch.equal(off, -off.transpose(2, 3))
    assert matrix[0].diagonal(dim1=1, dim2=2).tolist() == [[-1, 1, -1], [1, 1, -1]]


def test_settings_name_the_row() -> None:
    assert row_name("geneva", {"iterative": True, "fusion": "subtract"}) == "ours: geneva"
    assert row_name("geneva", {"iterative": False, "auxiliary_weight": 0.0}) == (
        "ours: geneva, non-iterative, no object head"
    )
