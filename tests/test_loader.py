"""The loader: every dialogue once an epoch, any step at any time, the same on every run."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from telldraw.batches import Dialogues
from telldraw.data.archive import Dataset
from telldraw.data.loader import Loader
from telldraw.errors import DataError
from telldraw.text import MAX_WORDS


def equal(a: Dialogues, b: Dialogues) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_batch_holds_the_rows_of_its_dialogues_end_to_end(dataset: Dataset) -> None:
    loader = Loader(dataset, "train", 4, seed=3)
    batch = loader.batch(1)
    dialogues = [dataset.splits["train"][index] for index in loader.chosen(1)]
    rows = [row for d in dialogues for row in range(d.start, d.stop)]
    assert batch.turns.tolist() == [d.stop - d.start for d in dialogues]
    assert batch.examples() == 4 and len(batch.image) == batch.turns.sum() == len(rows)
    assert np.array_equal(batch.image, dataset.images[rows]) and batch.image.dtype == torch.uint8
    assert np.array_equal(batch.background, dataset.background.transpose(2, 0, 1))
    assert np.array_equal(batch.objects, dataset.objects[rows]) and batch.objects.dtype == torch.float32
    assert np.array_equal(batch.position, dataset.position[rows])
    assert batch.instruction.dtype == torch.int64
    assert batch.instruction.shape[1] == max(len(dataset.words(row)) for row in rows)
    for instruction, row in zip(batch.instruction, rows, strict=True):
        words = dataset.words(row)
        assert np.array_equal(instruction[: len(words)], words) and not instruction[len(words) :].any()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 20), epoch=st.integers(0, 50))
def test_an_epoch_holds_every_dialogue_at_most_once_and_leaves_out_less_than_a_batch(
    prepared: str, seed: int, size: int, epoch: int
) -> None:
    dataset = Dataset.open(prepared)
    loader = Loader(dataset, "train", size, seed=seed)
    seen = np.concatenate([loader.chosen(step) for step in range(epoch * len(loader), (epoch + 1) * len(loader))])
    assert len(set(seen.tolist())) == len(seen) == len(loader) * size
    assert len(dataset.splits["train"]) - len(seen) < size


def test_epochs_and_seeds_have_orders_of_their_own(dataset: Dataset) -> None:
    loader, other = Loader(dataset, "train", 20, seed=1), Loader(dataset, "train", 20, seed=2)
    orders = {tuple(loader.chosen(0)), tuple(loader.chosen(1)), tuple(other.chosen(0))}
    assert len(loader) == 1 and len(orders) == 3


@settings(max_examples=10, deadline=None)
@given(steps=st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_a_batch_depends_on_its_step_alone(prepared: str, steps: list[int]) -> None:
    used = Loader(Dataset.open(prepared), "train", 3, seed=5)
    for step in steps:
        assert equal(used.batch(step), Loader(Dataset.open(prepared), "train", 3, seed=5).batch(step))


@pytest.mark.parametrize("prefetch", [0, 1, 5])
def test_iterating_from_step_n_goes_on_as_if_never_stopped(dataset: Dataset, prefetch: int) -> None:
    loader = Loader(dataset, "train", 6, seed=7, prefetch=prefetch)
    whole = list(islice(loader, 12))
    assert all(map(equal, whole, (loader.batch(step) for step in range(12))))
    assert all(map(equal, whole[5:], loader.iterate(5)))


def test_without_shuffling_the_stored_order_is_kept_and_nothing_left_out(dataset: Dataset) -> None:
    loader = Loader(dataset, "train", 7, shuffle=False)
    batches = list(loader)
    assert len(batches) == len(loader) == 3 and [b.examples() for b in batches] == [7, 7, 6]
    train = dataset.splits["train"]
    assert np.array_equal(torch.cat([b.image for b in batches]), dataset.images[train[0].start : train[-1].stop])
    assert len(list(loader.iterate(2))) == 1 and not list(loader.iterate(3))


def test_a_whole_dialogue_becomes_one_turn_with_the_last_canvas(dataset: Dataset) -> None:
    loader = Loader(dataset, "train", 20, shuffle=False, whole_dialogue=True)
    batch = loader.batch(0)
    assert batch.turns.tolist() == [1] * 20 and batch.first().all()
    for index, dialogue in enumerate(dataset.splits["train"]):
        words = np.concatenate([dataset.words(row) for row in range(dialogue.start, dialogue.stop)])[:MAX_WORDS]
        assert np.array_equal(batch.instruction[index, : len(words)], words)
        assert np.array_equal(batch.image[index], dataset.images[dialogue.stop - 1])
        assert np.array_equal(batch.objects[index], dataset.objects[dialogue.stop - 1])


@pytest.mark.parametrize("whole_dialogue", [False, True])
def test_a_split_held_by_the_device_gives_the_same_batches(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, whole_dialogue: bool
) -> None:
    streamed = Loader(dataset, "val", 1, whole_dialogue=whole_dialogue)
    monkeypatch.setattr(Loader, "_fits", lambda self: True)
    resident = Loader(dataset, "val", 1, whole_dialogue=whole_dialogue)
    assert resident.resident and not streamed.resident
    assert all(equal(streamed.batch(step), resident.batch(step)) for step in range(4))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("resident", [False, True])
def test_on_a_gpu_the_batches_are_those_of_the_cpu(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, resident: bool
) -> None:
    monkeypatch.setattr(Loader, "_fits", lambda self: resident and self.device.type == "cuda")
    there, here = Loader(dataset, "train", 4, device="cuda"), Loader(dataset, "train", 4)
    for a, b in islice(zip(there, here, strict=False), 6):
        assert a.image.is_cuda and equal(Dialogues(*(value.cpu() for value in a)), b)


def test_changing_a_batch_leaves_the_data_set_as_it_is(dataset: Dataset) -> None:
    loader = Loader(dataset, "train", 4)
    batch = loader.batch(0)
    before = batch.image.clone()
    batch.image.zero_()
    assert torch.equal(loader.batch(0).image, before)


def test_leaving_the_iteration_early_ends_its_threads(dataset: Dataset) -> None:
    import threading

    batches = Loader(dataset, "train", 4, prefetch=3).iterate()
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_a_batch_larger_than_the_split_is_refused_with_the_remedy(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="2 dialogues, too few for a batch of 3; choose a smaller batch size"):
        Loader(dataset, "val", 3)
    assert Loader(dataset, "val", 3, shuffle=False).batch(0).examples() == 2
    with pytest.raises(DataError, match="no split 'dev'; choose from train, val, test"):
        Loader(dataset, "dev", 1)
