"""Batches of (picture, tag) pairs. What step n holds depends on the seed and n alone, so training resumes anywhere."""

from collections.abc import Iterator

import numpy as np
import torch

from telldraw.batches import Tags
from telldraw.data.collection import Collection
from telldraw.errors import DataError


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
        self._pairs = np.stack([picture, tag], 1)
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
        chosen = self._order[1][place * self.batch_size : (place + 1) * self.batch_size]
        picture, tag = torch.from_numpy(self._pairs[chosen].T.copy()).to(self._features.device)
        return Tags(self._features[picture], self._vectors[tag])

    def iterate(self, start_step: int = 0) -> Iterator[Tags]:
        """Give the batches from `start_step` on, in order, without end."""
        step = start_step
        while True:
            yield self.batch(step)
            step += 1
