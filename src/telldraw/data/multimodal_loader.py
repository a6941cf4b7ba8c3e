"""Batches of pictures with their sketches, regions and captions. What step n holds depends on the seed and n alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from telldraw.batches import Multimodal
from telldraw.data.collection import Collection
from telldraw.data.picture_loader import PictureLoader
from telldraw.data.regions import mirrored
from telldraw.text import coded


class MultimodalLoader:
    """Draws batches from the pictures of a split: each picture once an epoch, with one of its captions by chance."""

    def __init__(
        self,
        collection: Collection,
        split: str,
        batch_size: int,
        *,
        seed: int = 0,
        mirror: bool = False,
    ) -> None:
        """Another order each epoch, the incomplete last batch left out, iteration without end.

        mirror: half of the pictures are mirrored, left and right, with their sketches; in their regions what is left
            by name becomes right. For captions that say neither.

        Raises DataError when the split has too few pictures for a batch.
        """
        self._pictures = PictureLoader(collection, split, batch_size, seed=seed)
        self.seed, self.mirror = seed, mirror
        self._collection = collection
        maps = collection.maps
        self._sketch = _rows(maps["sketch"].rows) if "sketch" in maps else None
        self._regions = _rows(maps["regions"].rows) if "regions" in maps else None
        names = maps["regions"].names if "regions" in maps else ()
        self._mirrored = torch.tensor(mirrored(names), dtype=torch.int64)

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return len(self._pictures)

    def batch(self, step: int) -> Multimodal:
        """Make the batch of `step`, the same whatever was drawn before."""
        rng = np.random.default_rng((self.seed, step, 3))
        rows = self._pictures.rows(step)
        image, label = self._pictures.of(rows)
        index, side = torch.from_numpy(rows), image.shape[-1]
        sketch = self._sketch[index].unsqueeze(1) if self._sketch is not None else image.new_zeros(0, 1, side, side)
        regions = torch.zeros(0, side, side, dtype=torch.int64)
        if self._regions is not None:
            regions = self._regions[index].long()
        if self.mirror:
            turned = torch.from_numpy(rng.random(len(rows)) < 0.5)
            image, sketch = (_flipped(part, turned) for part in (image, sketch))
            if len(regions):
                regions = torch.where(turned[:, None, None], self._mirrored[regions.flip(-1)], regions)
        return Multimodal(image, label, sketch, regions, self._words(rows, rng))

    def iterate(self, start_step: int = 0) -> Iterator[Multimodal]:
        """Give the batches from `start_step` on, in order, without end."""
        step = start_step
        while True:
            yield self.batch(step)
            step += 1

    def _words(self, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """One caption of each picture, by chance; a picture without one has an empty one."""
        vocabulary = self._collection.vocabulary
        if vocabulary is None:
            return torch.zeros(len(rows), 0, dtype=torch.int64)
        said = [self._collection.captions(int(row)) for row in rows]
        chosen = [own[rng.integers(len(own))] if own else "" for own in said]
        return torch.from_numpy(coded(chosen, vocabulary)[1])


def _rows(rows: Any) -> Tensor:
    return torch.from_numpy(rows)


def _flipped(pictures: Tensor, turned: Tensor) -> Tensor:
    """[N, C, H, W], those for which `turned` [N] holds mirrored; of no pictures none."""
    if not len(pictures):
        return pictures
    return torch.where(turned[:, None, None, None], pictures.flip(-1), pictures)
