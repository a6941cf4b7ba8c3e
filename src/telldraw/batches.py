"""What a data set hands to a system: tensors with their shapes, and the facts that size a network."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from telldraw.text import Vocabulary


@dataclass(frozen=True)
class Facts:
    """What a system must know of a data set before it can be built."""

    name: str  # for example "codraw"
    licence: str
    resolution: int  # side of the square pictures, in pixels
    classes: tuple[str, ...]  # names of the objects, by index
    vocabulary: Vocabulary
    background: np.ndarray  # [H, W, 3] uint8, the canvas before the first turn
    aspect: float = 1.0  # width / height of the canvas that was squashed to a square, for showing it to people
    axes: tuple[str, ...] = ("x", "y")  # the two coordinates in which objects are related: x, and y or depth
    shares: tuple[float, ...] = ()  # share of the pictures of the training split that have each class


class Dialogues(NamedTuple):
    """Whole dialogues, their turns laid end to end: nothing is padded but words, so nothing has to be masked.

    N is the number of turns of all B dialogues together; dialogue b owns the `turns[b]` rows after those of b - 1.
    """

    background: Tensor  # [3, H, W] canvas before every first turn: uint8 from the loader, [-1, 1] in a training step
    image: Tensor  # [N, 3, H, W] canvas after each turn, likewise
    instruction: Tensor  # [N, L] int64 word numbers, 0 = padding
    objects: Tensor  # [N, C] float 0 or 1: which classes are on the canvas after the turn
    position: Tensor  # [N, C, 3] float: x / width, y / height, depth / 2 of each object; 0 where absent
    turns: Tensor  # [B] int64, every entry at least 1; their sum is N

    def examples(self) -> int:
        """Number of dialogues, the unit of progress."""
        return len(self.turns)

    def first(self) -> Tensor:
        """[N] bool: whether a row is the first turn of its dialogue."""
        starts = torch.zeros(len(self.image), dtype=torch.bool, device=self.turns.device)
        starts[self.turns.cumsum(0) - self.turns] = True
        return starts

    def previous(self, rows: Tensor, start: Tensor) -> Tensor:
        """For each turn the row of `rows` [N, ...] of the turn before it, or `start` [...] at a first turn."""
        shifted = torch.cat([start.unsqueeze(0), rows[:-1]])
        first = self.first().view(-1, *[1] * (rows.dim() - 1))
        return torch.where(first, start.unsqueeze(0), shifted)


@dataclass(frozen=True)
class PictureFacts:
    """What a system must know of a set of pictures before it can be built."""

    name: str  # for example "mnist"
    licence: str
    resolution: int  # side of the square pictures, in pixels
    channels: int  # 1 grey, 3 colour
    classes: tuple[str, ...]  # names, by index; none where nothing is known of the pictures
    many: bool = False  # whether a picture may have several classes, or none
    aspect: float = 1.0  # width / height of the canvas that was squashed to a square, for showing it to people
    shares: tuple[float, ...] = ()  # share of the pictures of the training split that have each class
    vocabulary: Vocabulary | None = None  # words of the captions; None where pictures have none


class Pictures(NamedTuple):
    """N pictures and what each shows; K classes."""

    image: Tensor  # [N, C, H, W]: uint8 from the loader, [-1, 1] in a training step
    label: Tensor  # [N, K] float 0 or 1: of K classes one, or as many as are there; K = 0 where nothing is known

    def examples(self) -> int:
        """Number of pictures, the unit of progress."""
        return len(self.image)


@dataclass(frozen=True)
class TagFacts:
    """What a system must know of tagged pictures before it can be built; their classes are the tags."""

    pictures: PictureFacts
    vectors: np.ndarray  # float32 [K, E], the word vector of each tag
    mean: np.ndarray  # float32 [D], of the features of the training pictures
    deviation: np.ndarray  # float32 [D], their standard deviation


class Tags(NamedTuple):
    """N pairs of a picture and one of its tags, the examples of Mirza & Osindero 2014, Sec. 4.2."""

    feature: Tensor  # [N, D] float: what a network says of the picture
    word: Tensor  # [N, E] float: the word vector of the tag
    second: Tensor  # [N, E] float: that of another tag of the picture, or the same if it has no other
    other: Tensor  # [N, D] float: features of a picture that does not have the tag; the picture's own where all have it

    def examples(self) -> int:
        """Number of pairs, the unit of progress."""
        return len(self.feature)


@dataclass(frozen=True)
class DescribedFacts:
    """What a system that draws from texts must know before it can be built."""

    pictures: PictureFacts
    text_dim: int  # numbers in the vector of a text
    text_scale: float  # root of their mean square over the training captions


class Described(NamedTuple):
    """N pictures, each with the vector of a text that describes it and, if asked for, of one that does not."""

    image: Tensor  # [N, C, H, W]: uint8 from the loader, [-1, 1] in a training step
    text: Tensor  # [N, D] float: what a text encoder makes of captions of the picture, their mean
    wrong_text: Tensor  # [N, D] float: of captions of another picture, which do not describe this one; [0, D]

    def examples(self) -> int:
        """Number of pictures, the unit of progress."""
        return len(self.image)


class Captioned(NamedTuple):
    """N pictures, each with n of its captions and, if asked for, a picture that these do not describe; K classes."""

    image: Tensor  # [N, C, H, W]: uint8 from the loader, [-1, 1] in a training step
    label: Tensor  # [N, K] float 0 or 1: of K classes one, or as many as are there; K = 0 where nothing is known
    characters: Tensor  # [N, n, 201] int64 codes of the captions' characters (`text.characters`)
    words: Tensor  # [N, n, L] int64 word numbers, 0 = padding at the end
    row: Tensor  # [N] int64, which picture of the data set
    wrong: Tensor  # [N, C, H, W] like image: pictures of another class, or without a caption in common; [0, C, H, W]
    wrong_row: Tensor  # [N] int64, which picture of the data set that is; [0]

    def examples(self) -> int:
        """Number of pictures, the unit of progress."""
        return len(self.image)

    def same(self, by_class: bool) -> Tensor:
        """[N, N] bool: whether the captions of one row describe the other too: of one picture, or of one class."""
        picture = self.row[:, None] == self.row[None]
        return picture | (self.label @ self.label.T > 0) if by_class else picture


@dataclass(frozen=True)
class MultimodalFacts:
    """What a system that reads several kinds of input must know before it can be built."""

    pictures: PictureFacts  # whose vocabulary is that of the captions
    regions: tuple[str, ...]  # names of the regions of a label map, by number; none where the set has no such maps
    sketch: bool  # whether each picture has a sketch


class Multimodal(NamedTuple):
    """N pictures, and the same in other forms, as far as the set has them; K classes."""

    image: Tensor  # [N, C, H, W]: uint8 from the loader, [-1, 1] in a training step
    label: Tensor  # [N, K] float 0 or 1: of K classes one, or as many as are there; K = 0 where nothing is known
    sketch: Tensor  # [N, 1, H, W] like image, white paper and dark lines; [0, 1, H, W]
    regions: Tensor  # [N, H, W] int64, the number of the region each place belongs to; [0, H, W]
    words: Tensor  # [N, L] int64 word numbers of one of its captions, 0 = padding at the end; [N, 0]

    def examples(self) -> int:
        """Number of pictures, the unit of progress."""
        return len(self.image)
