"""What all sets of tagged pictures share: their vocabulary, labels, features, and how they are stored."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from telldraw.data.archive import Writer
from telldraw.data.collection import Tagging, write_collection
from telldraw.data.word_vectors import Learnt
from telldraw.errors import DataError

SPLITS = ("train", "val", "test")
MINIMUM = 20
"""Training pictures that a tag must have: of what is rarer nothing could be learnt, and much of it is misspelt."""


class Look(NamedTuple):
    """The network that looks at the pictures."""

    features: Callable[[np.ndarray], np.ndarray]  # uint8 [n, C, side, side] -> float32 [n, D]
    side: int  # of the pictures it takes
    folder: Path | None = None  # its weights, to be kept beside the features
    about: dict[str, Any] | None = None  # for the manifest


@dataclass(frozen=True)
class Report:
    """What was made of the owner's distribution."""

    pictures: dict[str, int]  # by split
    tags: int  # different ones
    pairs: dict[str, int]  # of a picture and a tag, by split
    words: str  # where the word vectors come from
    left_out: int  # dialogues


def vocabulary(used: Sequence[frozenset[str]], minimum: int, wanted: Callable[[str], bool]) -> list[str]:
    """The tags that at least `minimum` of the training pictures have, most frequent first. Raises DataError."""
    counts = Counter(word for words in used for word in words if wanted(word))
    kept = sorted((word for word, count in counts.items() if count >= minimum), key=lambda w: (-counts[w], w))
    if not kept:
        raise DataError(f"no tag is used for {minimum} training pictures or more; give a smaller --minimum-count")
    return kept


def labelled(used: Sequence[frozenset[str]], words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which of `words` each picture has, uint8 [N, K]; and which pictures have any, bool [N]."""
    number = {word: index for index, word in enumerate(words)}
    labels = np.zeros((len(used), len(words)), np.uint8)
    for row, own in enumerate(used):
        labels[row, [number[word] for word in own if word in number]] = 1
    return labels, labels.sum(1) > 0


def by_split(splits: Sequence[str]) -> dict[str, list[int]]:
    """The first row of each split and the row after its last; the rows are in the order of the splits."""
    ends, at = {}, 0
    for name in SPLITS:
        ends[name] = [at, at + splits.count(name)]
        at = ends[name][1]
    return ends


def seen(
    blocks: Iterable[np.ndarray], look: Look, total: int, progress: Callable[[int, int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """All pictures uint8 [N, C, H, W], and the features of each float32 [N, D]."""
    images, features, done = [], [], 0
    progress(0, total)
    for block in blocks:
        images.append(block)
        features.append(look.features(block))
        done += len(block)
        progress(done, total)
    return np.concatenate(images), np.concatenate(features).astype(np.float32)


def store(
    writer: Writer,
    facts: dict[str, Any],
    *,
    images: np.ndarray,
    labels: np.ndarray,
    splits: dict[str, list[int]],
    features: np.ndarray,
    learnt: Learnt,
    look: Look,
) -> Report:
    """Write a set of tagged pictures through an open writer.

    The mean of all word vectors is taken from each: vectors learnt from few words share a large part, which makes all
    cosines alike and a few words the neighbours of everything (Mu and Viswanath 2018).
    """
    if not splits["train"][1]:
        raise DataError("there is no training picture with a tag; a tagger has nothing to learn from")
    tagging = Tagging(features, learnt.vectors - learnt.vectors.mean(0), look.folder)
    more = {"classes": learnt.words, "many": True, "splits": splits, "word vectors": learnt.source}
    write_collection(writer, [images], labels, {**facts, **more, "features": look.about}, tagging=tagging)
    return Report(
        pictures={name: stop - start for name, (start, stop) in splits.items()},
        tags=len(learnt.words),
        pairs={name: int(labels[start:stop].sum()) for name, (start, stop) in splits.items()},
        words=learnt.source,
        left_out=len(facts["left out"]),
    )
