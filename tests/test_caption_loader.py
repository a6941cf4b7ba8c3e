"""Batches of captioned pictures: a function of seed and step, and mismatches that are mismatches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pictures_like import make_pictures
from telldraw.data.archive import Writer
from telldraw.data.caption_loader import CaptionLoader
from telldraw.data.collection import Collection, write_collection
from telldraw.errors import DataError
from telldraw.text import coded


def write(
    out: Path, classes: list[int], captions: list[list[str]], *, many: bool = False, names: int = 3
) -> Collection:
    """A set of 2 x 2 pictures, all to be trained on; pictures are their own numbers."""
    count = len(captions)
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 1, 2, 2))
    facts = {"name": "small", "licence": "CC0 1.0", "url": "", "resolution": 2, "channels": 1, "many": many}
    facts |= {"classes": [f"class {n}" for n in range(names)], "splits": {"train": [0, count]}}
    with Writer(out, overwrite=True) as writer:
        labels = np.eye(names, dtype=np.uint8)[classes] if names else np.zeros((count, 0), np.uint8)
        write_collection(writer, [images], labels, facts, captions)
    return Collection.open(out)


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return Collection.open(make_pictures(tmp_path_factory.mktemp("bars") / "bars.telldraw", captions=True))


def test_a_batch_has_pictures_and_their_own_captions(bars: Collection) -> None:
    batch = CaptionLoader(bars, "train", 8, captions=2).batch(3)
    assert batch.characters.shape == (8, 2, 201) and batch.words.shape[:2] == (8, 2) and batch.examples() == 8
    assert batch.wrong.shape == (0, 1, 28, 28)
    for place, row in enumerate(batch.row.tolist()):
        assert torch.equal(batch.image[place], torch.from_numpy(bars.images[row].copy()))
        assert batch.label[place].tolist() == bars.labels[row].tolist()
        assert bars.vocabulary is not None
        letters, _ = coded(bars.captions(row), bars.vocabulary)
        assert {one.tobytes() for one in batch.characters[place].numpy()} == {one.tobytes() for one in letters}


def test_a_batch_depends_on_seed_and_step_alone(bars: Collection) -> None:
    for sampling in ("pictures", "classes"):
        how = {"sampling": sampling, "mismatch": "class", "captions": 1}
        later = next(CaptionLoader(bars, "train", 8, seed=1, **how).iterate(20))
        again = CaptionLoader(bars, "train", 8, seed=1, **how).batch(20)
        assert all(torch.equal(one, other) for one, other in zip(later, again, strict=True))
        assert not torch.equal(CaptionLoader(bars, "train", 8, seed=2, **how).batch(20).row, again.row)


def test_an_epoch_of_pictures_has_each_once(bars: Collection) -> None:
    loader = CaptionLoader(bars, "train", 16)
    rows = torch.cat([loader.batch(step).row for step in range(4, 8)])
    assert sorted(rows.tolist()) == list(bars.splits["train"])


def test_classes_are_equally_likely_however_many_pictures_they_have(tmp_path: Path) -> None:
    classes = [0] * 50 + [1] * 4 + [2] * 2
    small = write(tmp_path / "small.telldraw", classes, [[f"a picture of {n}"] for n in classes])
    loader = CaptionLoader(small, "train", 50, sampling="classes")
    share = torch.cat([loader.batch(step).label for step in range(40)]).mean(0)
    assert ((share - 1 / 3).abs() < 0.05).all()  # 2,000 drawn: a standard error of 0.01
    loader = CaptionLoader(small, "train", 3, sampling="distinct")
    assert all(loader.batch(step).label.sum(0).tolist() == [1, 1, 1] for step in range(20))


sentences = st.lists(st.sampled_from(["a cat", "a dog", "A cat!", "a sun", "a tree", "a cow"]), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pictures=st.lists(st.tuples(st.integers(0, 2), sentences), min_size=3, max_size=12),
    batch_size=st.integers(2, 3),
    mismatch=st.sampled_from(["class", "caption"]),
    sampling=st.sampled_from(["pictures", "classes"]),
)
def test_a_mismatch_is_never_right(tmp_path: Path, pictures, batch_size: int, mismatch, sampling) -> None:  # noqa: ANN001
    small = write(tmp_path / "small.telldraw", [kind for kind, _ in pictures], [said for _, said in pictures])
    words = [{" ".join(one.lower().rstrip("!").split()) for one in said} for _, said in pictures]
    try:
        loader = CaptionLoader(small, "train", batch_size, mismatch=mismatch, sampling=sampling)
        batches = [loader.batch(step) for step in range(4)]
    except DataError:  # there is a reason: one class alone, or a picture that shares a caption with all
        alone = len({kind for kind, _ in pictures}) < 2
        shared = any(all(own & other for other in words) for own in words)
        assert (alone and "class" in (mismatch, sampling.removesuffix("es"))) or (shared and mismatch == "caption")
        return
    for batch in batches:
        assert batch.wrong.shape == batch.image.shape
        for row, other in zip(batch.row.tolist(), batch.wrong_row.tolist(), strict=True):
            if mismatch == "class":
                assert pictures[row][0] != pictures[other][0]
            else:
                assert row != other and words[row].isdisjoint(words[other])
        assert batch.wrong[:, 0, 0, 0].tolist() == batch.wrong_row.tolist()


def test_what_belongs_together_is_known(bars: Collection) -> None:
    batch = CaptionLoader(bars, "train", 6).batch(0)
    kinds = batch.label.argmax(1)
    assert torch.equal(batch.same(by_class=True), kinds[:, None] == kinds)
    assert torch.equal(batch.same(by_class=False), torch.eye(6, dtype=torch.bool))


def test_words_seen_once_are_unknown(tmp_path: Path) -> None:
    small = write(tmp_path / "small.telldraw", [0, 1], [["a red bird"], ["a blue bird"]])
    assert small.vocabulary is not None and small.vocabulary.words[2:] == ("a", "bird")
    assert small.facts.vocabulary == small.vocabulary
    small.verify()
    before = dict(small.manifest, files={k: v for k, v in small.manifest["files"].items() if k != "vocabulary.json"})
    assert Collection(small.path, before).vocabulary == small.vocabulary, "sets of before are read as those of now"


@pytest.mark.parametrize(
    "how, sentence",
    [
        ({"batch_size": 65}, "has 64 captioned pictures, too few for a batch of 65; choose a smaller --batch-size"),
        ({"sampling": "distinct"}, "has 3 classes, too few for a batch of 4; choose a smaller --batch-size"),
    ],
)
def test_what_is_too_small_is_named(bars: Collection, how: dict, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        CaptionLoader(bars, "train", **{"batch_size": 4, **how})


def test_pictures_without_captions_or_classes_are_named(tmp_path: Path) -> None:
    plain = Collection.open(make_pictures(tmp_path / "plain.telldraw"))
    with pytest.raises(DataError, match="split 'train', have no captions; prepare a set that has some"):
        CaptionLoader(plain, "train", 4)
    unlabelled = write(tmp_path / "small.telldraw", [], [["one"], ["two"]], names=0)
    with pytest.raises(DataError, match="has pictures of no class: choose --config.sampling pictures"):
        CaptionLoader(unlabelled, "train", 2, sampling="classes")
    with pytest.raises(DataError, match="all pictures of .* have a caption in common"):
        CaptionLoader(write(tmp_path / "same.telldraw", [0, 1], [["One."], ["one"]]), "train", 2, mismatch="caption")
