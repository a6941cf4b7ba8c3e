"""Batches of exactly so many turns."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from telldraw.data.archive import Dataset
from telldraw.data.loader import Loader
from telldraw.data.packing import can_fill, pack
from telldraw.errors import DataError

LENGTHS = st.lists(st.integers(1, 14), min_size=1, max_size=60).map(np.array)


@given(counts=LENGTHS, size=st.integers(1, 40), batches=st.integers(1, 6), seed=st.integers(0, 9))
def test_every_batch_has_exactly_the_turns_asked_for(counts: np.ndarray, size: int, batches: int, seed: int) -> None:
    assume(can_fill(counts, size))
    packed = pack(counts, size, batches, np.random.default_rng(seed))
    assert len(packed) == batches
    assert all(counts[batch].sum() == size for batch in packed)


@given(counts=st.lists(st.integers(1, 6), min_size=1, max_size=12).map(np.array), size=st.integers(1, 40))
def test_can_fill_is_a_subset_sum(counts: np.ndarray, size: int) -> None:
    sums = {
        int(counts[[bool(mask >> bit & 1) for bit in range(len(counts))]].sum()) for mask in range(1 << len(counts))
    }
    assert can_fill(counts, size) == (size in sums)


def test_an_epoch_of_usual_lengths_takes_nearly_every_dialogue_once() -> None:
    rng = np.random.default_rng(0)
    counts = rng.choice(np.arange(1, 10), 2000, p=[0.04, 0.06, 0.19, 0.27, 0.24, 0.14, 0.04, 0.01, 0.01])
    packed = np.concatenate(pack(counts, 64, int(counts.sum()) // 64, rng))
    assert len(set(packed.tolist())) == len(packed) >= 0.98 * len(counts)
    early, late = counts[packed[: len(packed) // 5]], counts[packed[-len(packed) // 5 :]]
    assert abs(early.mean() - late.mean()) < 0.5  # long dialogues are not put off to the end


def test_a_packed_batch_depends_on_seed_and_step_alone(dataset: Dataset) -> None:
    loader, other = (Loader(dataset, "train", 4, seed=3, turns=8) for _ in range(2))
    steps = [0, 2 * len(loader) + 1, 1]  # forth and back, over the ends of epochs
    first = [loader.batch(step) for step in steps]
    again = [other.batch(step) for step in reversed(steps)][::-1]
    for a, b in zip(first, again, strict=True):
        assert all(value.equal(another) for value, another in zip(a, b, strict=True))
        assert len(a.image) == int(a.turns.sum()) == 8


def test_turns_that_no_dialogues_make_up_are_refused(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="have 100000 turns in all; choose another number"):
        Loader(dataset, "train", 4, turns=100_000)
