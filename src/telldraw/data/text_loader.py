"""Batches of pictures and the vectors of texts, for systems that draw from texts; a function of seed and step."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from telldraw.batches import Described
from telldraw.data.caption_loader import CaptionLoader
from telldraw.data.collection import Collection
from telldraw.text import Vocabulary, coded

Embed = Callable[[Tensor, Tensor], Tensor]
"""Captions as characters [N, 201] and words [N, L] -> vectors [N, D]: what a text encoder does."""
_LOOKED_AT = 512  # training captions from which their scale is measured


class TextLoader:
    """Captioned batches whose captions have become vectors.

    A picture with several captions in a batch has the mean of their vectors, as in the code of Reed et al. (2016).
    """

    def __init__(self, captioned: CaptionLoader, embed: Embed) -> None:
        self._captioned, self._embed = captioned, embed

    def batch(self, step: int) -> Described:
        """Make the batch of `step`, the same whatever was drawn before."""
        batch = self._captioned.batch(step)
        text = self._read(batch.characters, batch.words)
        wrong = text[:0]
        if len(batch.wrong_row):
            wrong = self._read(*self._captioned.wrong_texts(batch, step))
        return Described(batch.image, text, wrong)

    def iterate(self, start_step: int = 0) -> Iterator[Described]:
        """Give the batches from `start_step` on, in order, without end."""
        step = start_step
        while True:
            yield self.batch(step)
            step += 1

    @torch.inference_mode()
    def _read(self, characters: Tensor, words: Tensor) -> Tensor:
        """[N, n, ...] -> [N, D], the mean over n captions."""
        found = self._embed(characters.flatten(0, 1), words.flatten(0, 1)).float()
        return found.unflatten(0, characters.shape[:2]).mean(1).clone()


@torch.inference_mode()
def text_scale(collection: Collection, vocabulary: Vocabulary, embed: Embed) -> float:
    """Root of the mean square of the numbers in vectors of training captions."""
    rows = [row for row in collection.split("train") if collection.captions(row)]
    chosen = np.random.default_rng(0).choice(rows, min(_LOOKED_AT, len(rows)), replace=False)
    texts = [collection.captions(row)[0] for row in chosen]
    letters, words = (torch.from_numpy(part) for part in coded(texts, vocabulary))
    return float(embed(letters, words).float().square().mean().sqrt())
