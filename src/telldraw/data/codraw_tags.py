"""Tags for CoDraw: the scenes that the Tellers saw, and the words with which each of them spoke of his.

The picture of a dialogue is the Teller's (`abs_t` of the owner's file) and not the Drawer's last canvas: it is the one
that his words are about, and a Drawer may have missed a thing or misplaced it. Its tags are the words of the Teller's
messages that say something of the content (`stopwords.is_tag`) and that at least `minimum` training dialogues have:
what is rarer is mostly a slip of typing, and nothing could be learnt of it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from telldraw.data import DATASETS, codraw, word_vectors
from telldraw.data.archive import Writer
from telldraw.data.clipart import CANVAS, Scene, draw_all
from telldraw.data.faults import LeftOut
from telldraw.data.scenes import parse_scene
from telldraw.data.stopwords import is_tag
from telldraw.data.tagged import MINIMUM, Look, Report, by_split, labelled, seen, store, vocabulary
from telldraw.errors import DataError
from telldraw.text import normalise


class Told(NamedTuple):
    """A scene, and all that was said of it."""

    id: str  # the owner's, for example train_00001
    split: str
    scene: Scene
    words: frozenset[str]  # the Teller's
    sentences: tuple[tuple[str, ...], ...]  # both people's messages


def read(
    file: Path, limit: int | None = None, fault: Callable[[str, str], None] = lambda name, what: None
) -> list[Told]:
    """The scenes of the owner's file by split and id; a dialogue with a fault is left out and told to `fault`."""
    dialogues = codraw.load(file)
    found = []
    for name in sorted(dialogues, key=lambda name: (name.rpartition("_")[2].zfill(8), name))[:limit]:
        split, record = name.partition("_")[0], dialogues[name]
        try:
            if split not in codraw.SPLITS:
                raise ValueError(f"its id names none of the splits {', '.join(codraw.SPLITS)}")
            scene = parse_scene(record["abs_t"])
            messages = [(entry["msg_t"], entry["msg_d"]) for entry in record["dialog"]]
            told = [normalise(teller) for teller, _ in messages]
            answers = [normalise(drawer) for _, drawer in messages]
        except (KeyError, TypeError, AttributeError) as error:
            fault(name, f"abs_t, or msg_t or msg_d of a round, is missing or no text ({error})")
            continue
        except ValueError as error:
            fault(name, str(error))
            continue
        both = tuple(tuple(one) for pair in zip(told, answers, strict=True) for one in pair if one)
        found.append(Told(name, split, scene, frozenset(word for one in told for word in one), both))
    if not found:
        raise DataError(f"no dialogue of {file} can be used")
    return sorted(found, key=lambda told: codraw.SPLITS.index(told.split))


def prepare(
    folder: Path,
    out: Path,
    look: Look,
    *,
    vectors: Path | None = None,
    dim: int = 200,
    minimum: int = MINIMUM,
    overwrite: bool = False,
    workers: int = 1,
    limit: int | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Read CoDraw, learn word vectors (or read the file `vectors`), draw the scenes, look at them, store it all."""
    left_out = LeftOut(tell)
    with Writer(out, overwrite=overwrite) as writer:
        file, pictures = codraw.find(folder)
        tell(f"reading {file}")
        told = read(file, limit, left_out)
        train = [one for one in told if one.split == "train"]
        words = vocabulary([one.words for one in train], minimum, is_tag)
        if vectors is None:
            tell("learning word vectors from the training dialogues, some two minutes on one core")
            learnt = word_vectors.skip_gram([s for one in train for s in one.sentences], words, dim)
        else:
            learnt = word_vectors.read(vectors, words)
        labels, kept = labelled([one.words for one in told], learnt.words)
        for one in (told[row] for row in np.nonzero(~kept)[0]):
            left_out(one.id, "none of its words is a tag")
        told, labels = [one for one, keep in zip(told, kept, strict=True) if keep], labels[kept]
        tell(f"drawing {len(told):,} scenes and looking at them")
        owner = DATASETS["codraw-tags"]
        drawn = draw_all(pictures, look.side, [one.scene for one in told], workers)
        images, features = seen(drawn, look, len(told), progress)
        facts = {
            "name": "codraw-tags",
            "licence": owner.licence,
            "url": owner.url,
            "resolution": look.side,
            "channels": 3,
            "aspect": CANVAS[0] / CANVAS[1],
            "ids": [one.id for one in told],
            "left out": [list(one) for one in left_out.faults],
        }
        splits = by_split([one.split for one in told])
        return store(
            writer, facts, images=images, labels=labels, splits=splits, features=features, learnt=learnt, look=look
        )
