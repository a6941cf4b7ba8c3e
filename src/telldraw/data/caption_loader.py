"""Batches of captioned pictures. What step n holds depends on the seed and n alone, so training resumes anywhere."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from telldraw.batches import Captioned
from telldraw.data.collection import Collection
from telldraw.errors import DataError
from telldraw.text import Vocabulary, coded, normalise

Sampling = Literal["pictures", "classes", "distinct"]
Mismatch = Literal["", "class", "caption", "content"]
_TRIES = 16  # pictures drawn by chance as a mismatch, before all are looked through


class CaptionLoader:
    """Draws batches from the pictures of a split that have captions."""

    def __init__(
        self,
        collection: Collection,
        split: str,
        batch_size: int,
        *,
        seed: int = 0,
        captions: int = 1,
        sampling: Sampling = "pictures",
        mismatch: Mismatch = "",
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """Iteration without end; what is drawn, and what is given with it.

        captions: how many of each picture, by chance, none twice where it has so many.
        sampling: "pictures": each once an epoch, the incomplete last batch left out; "classes": a class by chance, then
            a picture of it; "distinct": likewise, and no class twice in a batch (Reed et al. 2016).
        mismatch: give with each picture another one: of another class ("class": a class by chance, then a picture of
            it), without a caption in common ("caption"), or, where the set has a table `content`, so that each of the
            two shows a solid, by colour and shape, that the other does not ("content"): captions name them all, so
            none of the one describes the other.
        vocabulary: to number words by, if not the data set's own.

        Raises DataError when the split has no captions, or too few pictures or classes for this.
        """
        rows = collection.split(split)
        own = [row for row in rows if collection.captions(row)]
        if not own or collection.vocabulary is None:
            raise DataError(
                f"the pictures of {collection.path}, split {split!r}, have no captions; prepare a set that has some: "
                "telldraw data lists them"
            )
        self.batch_size, self.seed, self.captions = batch_size, seed, captions
        self._collection, self._vocabulary = collection, vocabulary or collection.vocabulary
        self._rows = np.array(own)
        self._sampling: Sampling = sampling
        self._mismatch: Mismatch = mismatch
        self._where = f"the split {split!r} of {collection.path}"
        self._images, self._labels = torch.from_numpy(collection.images), torch.from_numpy(collection.labels)
        self._classes: list[np.ndarray] = []
        self._class_of: dict[int, int] = {}
        self._order = (-1, self._rows)  # of an epoch, and which
        if sampling != "pictures" or mismatch == "class":
            self._sort_by_class()
        if len(own) < batch_size or (sampling == "distinct" and len(self._classes) < batch_size):
            what = f"{len(self._classes):,} classes" if sampling == "distinct" else f"{len(own):,} captioned pictures"
            raise DataError(
                f"{self._where} has {what}, too few for a batch of {batch_size}; choose a smaller --batch-size"
            )
        self._said: dict[int, frozenset[int]] = {}
        if mismatch in ("caption", "content"):
            self._said = self._numbered() if mismatch == "caption" else self._solids()

    def _sort_by_class(self) -> None:
        collection = self._collection
        if collection.many or not collection.classes:
            raise DataError(
                f"{self._where} has pictures of {'several classes' if collection.many else 'no class'}: choose "
                "--config.sampling pictures, and mismatches by caption"
            )
        of = collection.labels[self._rows].argmax(1)
        self._classes = [self._rows[of == number] for number in np.unique(of)]
        self._class_of = {int(row): number for number, own in enumerate(self._classes) for row in own}
        if len(self._classes) < 2:
            raise DataError(f"{self._where} has pictures of one class; two are needed to tell them apart")

    def _numbered(self) -> dict[int, frozenset[int]]:
        """What is said of each picture, as numbers: two captions have one number where they are the same words."""
        numbers: dict[str, int] = {}
        said = {
            int(row): frozenset(
                numbers.setdefault(" ".join(normalise(one)), len(numbers)) for one in self._collection.captions(row)
            )
            for row in self._rows
        }
        if frozenset.intersection(*said.values()):
            raise DataError(f"all pictures of {self._where} have a caption in common: none of them is a mismatch")
        return said

    def _solids(self) -> dict[int, frozenset[int]]:
        """Colour and shape of each solid of a picture, as one number."""
        table = self._collection.tables.get("content")
        if table is None:
            raise DataError(
                f"{self._collection.path} has no table `content`: choose --config.mismatch caption, or class where "
                "each picture has one"
            )
        found = table.of("colour 1", "shape 1", "colour 2", "shape 2").astype(int).tolist()
        return {
            int(row): frozenset(
                100 * colour + shape for colour, shape in (found[row][:2], found[row][2:]) if shape >= 0
            )
            for row in self._rows
        }

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return len(self._rows) // self.batch_size

    def batch(self, step: int) -> Captioned:
        """Make the batch of `step`, the same whatever was drawn before."""
        rng = np.random.default_rng((self.seed, step, 1))
        rows = self._chosen(step, rng)
        letters, words = self._texts(rows, rng)
        wrong = np.array([self._other(int(row), rng) for row in rows] if self._mismatch else [], np.int64)
        index, other = torch.from_numpy(rows), torch.from_numpy(wrong)
        return Captioned(
            self._images[index], self._labels[index].float(), letters, words, index, self._images[other], other
        )

    def wrong_texts(self, batch: Captioned, step: int) -> tuple[Tensor, Tensor]:
        """Captions of the mismatched pictures of the batch of `step`: characters [N, n, 201] and words [N, n, L]."""
        return self._texts(batch.wrong_row.numpy(), np.random.default_rng((self.seed, step, 2)))

    def _texts(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        texts = [said for row in rows for said in self._some(self._collection.captions(row), rng)]
        letters, words = (torch.from_numpy(part) for part in coded(texts, self._vocabulary))
        return letters.unflatten(0, (len(rows), self.captions)), words.unflatten(0, (len(rows), self.captions))

    def iterate(self, start_step: int = 0) -> Iterator[Captioned]:
        """Give the batches from `start_step` on, in order, without end."""
        step = start_step
        while True:
            yield self.batch(step)
            step += 1

    def _chosen(self, step: int, rng: np.random.Generator) -> np.ndarray:
        """The pictures of a batch."""
        if self._sampling == "pictures":
            epoch, place = divmod(step, len(self))
            if self._order[0] != epoch:
                self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(self._rows)
            return self._order[1][place * self.batch_size : (place + 1) * self.batch_size]
        again = self._sampling == "classes"
        classes = rng.choice(len(self._classes), self.batch_size, replace=again)
        return np.array([rng.choice(self._classes[number]) for number in classes])

    def _some(self, captions: list[str], rng: np.random.Generator) -> list[str]:
        chosen = rng.choice(len(captions), self.captions, replace=len(captions) < self.captions)
        return [captions[number] for number in chosen]

    def _other(self, row: int, rng: np.random.Generator) -> int:
        """A picture that the captions of `row` do not describe."""
        if self._mismatch == "class":
            number = int(rng.integers(len(self._classes) - 1))
            return int(rng.choice(self._classes[number + (number >= self._class_of[row])]))
        for candidate in rng.choice(self._rows, _TRIES):
            if self._differ(row, int(candidate)):
                return int(candidate)
        fitting = [int(other) for other in self._rows if self._differ(row, int(other))]
        if not fitting:
            raise DataError(
                f"picture {row} of {self._where} has a {self._mismatch} in common with every other: no picture is a "
                "mismatch"
            )
        return int(rng.choice(fitting))

    def _differ(self, row: int, other: int) -> bool:
        """Whether no caption of the one describes the other."""
        mine, theirs = self._said[row], self._said[other]
        if self._mismatch == "content":
            return not (mine <= theirs or theirs <= mine)
        return mine.isdisjoint(theirs)
