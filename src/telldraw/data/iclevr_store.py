"""i-CLEVR as it is stored: what both of its sources, the published files and our own renders, come down to."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from telldraw.data.archive import Writer, write_words
from telldraw.data.clevr.stage import CLASSES, STAGE, Solid
from telldraw.text import Vocabulary, normalise

SPLITS = ("train", "val", "test")


class Told(NamedTuple):
    """One instruction, and what the canvas then holds."""

    said: str
    present: np.ndarray  # uint8 [24]
    position: np.ndarray  # float32 [24, 3]: x / width, y / height, depth from the camera; 0 where absent


class Story(NamedTuple):
    """One sequence of instructions."""

    id: str
    split: str
    turns: Sequence[Told]


def told(said: str, solids: Iterable[Solid]) -> Told:
    """What a scene of solids comes down to; places are those of their centres in the picture."""
    present, position = np.zeros(len(CLASSES), np.uint8), np.zeros((len(CLASSES), 3), np.float32)
    for solid in solids:
        present[solid.category] = 1
        position[solid.category] = STAGE.project(solid.centre)
    return Told(said, present, position)


def write_tables(writer: Writer, stories: Sequence[Story]) -> Vocabulary:
    """Write everything but the pictures; the stories of a split follow one another, splits in the order of SPLITS."""
    turns = [turn for story in stories for turn in story.turns]
    spoken = [normalise(turn.said) for turn in turns]
    splits: dict[str, list[tuple[str, int, int]]] = {split: [] for split in SPLITS}
    row = 0
    for story in stories:
        splits[story.split].append((story.id, row, row + len(story.turns)))
        row += len(story.turns)
    training = splits["train"][-1][2] if splits["train"] else row
    vocabulary = Vocabulary.build(spoken[:training])
    write_words(writer, vocabulary, splits, spoken, [turn.said for turn in turns])
    writer.rows("objects.npy", (len(turns), len(CLASSES)), np.uint8, (turn.present[None] for turn in turns))
    writer.rows("position.npy", (len(turns), len(CLASSES), 3), np.float32, (turn.position[None] for turn in turns))
    return vocabulary
