"""Batches of (picture, tag) pairs. What step n holds depends on the seed and n alone, so training resumes anywhere."""

from collections.abc import Iterator

import numpy as np
import torch

from telldraw.batches import Tags
from telldraw.data.collection import Collection
from telldraw.errors import DataError

_TRIES = 20  # at random, before all pictures are looked at


class TagLoader:
    """Draws batches of pairs from one split of a prepared set of tagged pictures: each picture once for each tag."""

    def __init__(
        self, collection: Collection, split: str, batch_size: int, *, seed: int = 0, device: str | torch.device = "cpu"
    ) -> None:
        """Another order each epoch, the incomplete last batch left out, iteration without end.

        Raises DataError when the set has no tags, or the split too few pairs for a batch.
        """
        facts, rows = collection.tag_facts, collection.split(split)
        assert collection.features is not None  # or there would be no facts
        picture, tag = np.nonzero(collection.labels[rows.start : rows.stop])
        if len(picture) < batch_size:
            raise DataError(
                f"the split {split!r} of {collection.path} has {len(picture):,} pairs of a picture and a tag, too few "
                f"for a batch of {batch_size}; choose a smaller --batch-size"
            )
        self.batch_size, self.seed = batch_size, seed
        self._pairs, self._labels = np.stack([picture, tag], 1), collection.labels[rows.start : rows.stop]
        self._features = torch.from_numpy(collection.features[rows.start : rows.stop]).to(device)
        self._vectors = torch.from_numpy(facts.vectors).to(device)
        self._order = (-1, np.zeros(0, np.int64))  # of one epoch, and which

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return len(self._pairs) // self.batch_size

    def batch(self, step: int) -> Tags:
        """Make the batch of `step`, the same whatever was drawn before."""
        epoch, place = divmod(step, len(self))
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self._pairs))
        pairs = self._pairs[self._order[1][place * self.batch_size : (place + 1) * self.batch_size]]
        rng = np.random.default_rng((self.seed, epoch, place))
        others = self._without(pairs[:, 1], pairs[:, 0], rng)
        seconds = self._beside(pairs[:, 1], pairs[:, 0], rng)
        picture, tag, second, other = torch.from_numpy(np.stack([*pairs.T, seconds, others])).to(self._features.device)
        return Tags(self._features[picture], self._vectors[tag], self._vectors[second], self._features[other])

    def _beside(self, tags: np.ndarray, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each tag another one of its picture, any one alike likely; or the tag itself where it is the only one."""
        labels = self._labels[own].astype(bool)
        labels[np.arange(len(tags)), tags] = False
        drawn = np.where(labels, rng.random(labels.shape, np.float32), -1).argmax(1)
        return np.where(labels.any(1), drawn, tags)

    def _without(self, tags: np.ndarray, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each tag a picture that does not have it, any one alike likely; or `own` where every picture has it."""
        others = rng.integers(len(self._labels), size=len(tags))
        for _ in range(_TRIES):
            wrong = self._labels[others, tags] > 0
            if not wrong.any():
                return others
            others[wrong] = rng.integers(len(self._labels), size=wrong.sum())
        for place in np.nonzero(self._labels[others, tags])[0]:  # nearly all pictures have it: look at each
            free = np.nonzero(self._labels[:, tags[place]] == 0)[0]
            others[place] = rng.choice(free) if len(free) else own[place]
        return others

    def iterate(self, start_step: int = 0) -> Iterator[Tags]:
        """Give the batches from `start_step` on, in order, without end."""
        step = start_step
        while True:
            yield self.batch(step)
            step += 1
