"""Whether labels are obeyed, and how: by hand, by brute force, and laws."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from telldraw.metrics import conditional
from telldraw.metrics.conditional import (
    KINDS,
    RIGHT,
    auc,
    class_accuracy,
    class_spread,
    confusion,
    nearest,
    verdicts,
)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_confusion_and_accuracy_by_hand() -> None:
    asked, shown = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 0, 2, 1, 0])
    counts = confusion(asked, shown, 3)
    assert counts.tolist() == [[2, 0, 1], [1, 1, 0], [0, 0, 0]]
    right = class_accuracy(counts).tolist()
    assert right[:2] == pytest.approx([2 / 3, 1 / 2]) and math.isnan(right[2])


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_class_that_is_none_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 2"):
        confusion(torch.tensor([0, wrong]), torch.tensor([0, 1]), 3)


def test_spread_is_the_mean_deviation_of_a_pixel_within_its_class() -> None:
    label = torch.tensor([0, 0, 1, 1, 2])
    pictures = torch.tensor([[0.0, 1.0], [2.0, 1.0], [5.0, 5.0], [5.0, 5.0], [9.0, 9.0]])
    spread = class_spread(pictures.view(5, 1, 1, 2), label, 4).tolist()
    assert spread[:2] == pytest.approx([math.sqrt(2) / 2, 0.0])
    assert all(map(math.isnan, spread[2:]))  # one picture has no spread, and none even less


def test_spread_grows_with_the_pictures() -> None:
    pictures, label = numbers(40, 3, 4, 4), torch.arange(40) % 4
    torch.testing.assert_close(class_spread(3 * pictures + 1, label, 4), 3 * class_spread(pictures, label, 4))


def test_the_nearest_picture_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, known = numbers(30, 2, 3, 3), numbers(50, 2, 3, 3, seed=1)
    known[17] = pictures[4]
    every = torch.cdist(pictures.flatten(1).double(), known.flatten(1).double())
    monkeypatch.setattr(conditional, "_CELLS", 120)
    distance, index = nearest(pictures, known)
    assert index.tolist() == every.argmin(1).tolist() and int(index[4]) == 17
    assert float(distance[4]) == 0
    torch.testing.assert_close(distance.double(), every.min(1).values, rtol=1e-5, atol=1e-6)


scores = st.lists(st.integers(-3, 3), min_size=1, max_size=12).map(lambda values: torch.tensor(values).float())


@settings(max_examples=60, deadline=None)
@given(scores, scores)
def test_auc_is_the_share_of_pairs_in_order(positive: Tensor, negative: Tensor) -> None:
    above = (positive.unsqueeze(1) > negative).double() + 0.5 * (positive.unsqueeze(1) == negative).double()
    assert auc(positive, negative) == pytest.approx(float(above.mean()))
    assert auc(positive, negative) + auc(negative, positive) == pytest.approx(1)


def test_auc_needs_both_kinds() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        auc(torch.zeros(0), torch.zeros(3))


def test_verdicts_by_hand() -> None:
    found = verdicts({RIGHT: torch.tensor([2.0, -1.0]), KINDS[1]: torch.tensor([1.0, -3.0])})
    assert found[RIGHT].auc is None and found[RIGHT].accepted == 0.5
    assert found[RIGHT].mean == pytest.approx((1 / (1 + math.exp(-2)) + 1 / (1 + math.e)) / 2)
    assert found[KINDS[1]].auc == pytest.approx(3 / 4)  # of four pairs, only -1 against 1 is in the wrong order
