"""Batches of pictures. What step n holds depends on the seed and n alone, so training resumes anywhere."""

from collections.abc import Iterator

import numpy as np
import torch

from telldraw.batches import Pictures
from telldraw.data.collection import Collection
from telldraw.errors import DataError


class PictureLoader:
    """Draws batches from one split of a prepared set of pictures."""

    def __init__(
        self,
        collection: Collection,
        split: str,
        batch_size: int,
        *,
        seed: int = 0,
        device: str | torch.device = "cpu",
        shuffle: bool = True,
    ) -> None:
        """Shuffled, another order each epoch, the incomplete last batch left out, iteration without end.

        Otherwise the stored order once, the last batch possibly smaller. Raises DataError when the split is too small.
        """
        rows = collection.split(split)
        if not len(rows) or (shuffle and len(rows) < batch_size):
            raise DataError(
                f"the split {split!r} of {collection.path} has {len(rows):,} pictures, too few for a batch of "
                f"{batch_size}; choose a smaller --batch-size"
            )
        self.batch_size, self.seed, self.shuffle, self.device = batch_size, seed, shuffle, torch.device(device)
        self._rows = np.arange(rows.start, rows.stop)
        self._images, self._labels = torch.from_numpy(collection.images), torch.from_numpy(collection.labels)
        if self.device.type == "cuda":  # pictures of one split are small beside a GPU's memory
            index = torch.from_numpy(self._rows)
            self._images, self._labels = self._images[index].to(device), self._labels[index].to(device)
            self._rows = np.arange(len(self._rows))

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        whole, rest = divmod(len(self._rows), self.batch_size)
        return whole + (rest > 0 and not self.shuffle)

    def batch(self, step: int) -> Pictures:
        """Make the batch of `step`, the same whatever was drawn before."""
        return self.of(self.rows(step))

    def rows(self, step: int) -> np.ndarray:
        """Which pictures the batch of `step` has."""
        epoch, place = divmod(step, len(self))
        count = len(self._rows)
        order = np.random.default_rng((self.seed, epoch)).permutation(count) if self.shuffle else np.arange(count)
        return self._rows[order[place * self.batch_size : (place + 1) * self.batch_size]]

    def of(self, chosen: np.ndarray) -> Pictures:
        """Make a batch of these pictures."""
        rows = torch.from_numpy(chosen).to(self._images.device)
        return Pictures(self._images[rows], self._labels[rows].float())

    def iterate(self, start_step: int = 0) -> Iterator[Pictures]:
        """Give the batches from `start_step` on, in order: without end when shuffling, else to the end of the epoch."""
        step = start_step
        while self.shuffle or step < len(self):
            yield self.batch(step)
            step += 1
