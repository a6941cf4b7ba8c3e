"""What a text encoder finds: figures of a split, and sheets that show it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from telldraw import pixels
from telldraw.drawing.sheet import Frame, Strip, enlarge
from telldraw.errors import DataError
from telldraw.metrics import retrieval
from telldraw.text import Vocabulary, coded

if TYPE_CHECKING:
    from telldraw.commands.picture_evaluation import Job
    from telldraw.data.collection import Collection

FIRST = (1, 5, 50)
"""A right answer counts among so many."""
_TOGETHER = 128
_LOOKED_AT = 512  # pictures that are searched beside training
_CAPTIONS, _SHOWN, _WIDTH = 6, 7, 96


class Embedded(NamedTuple):
    """Captions and pictures of some rows of a data set, embedded."""

    captions: Tensor  # [M, D], no two in the same words
    texts: list[str]
    pairs: Tensor  # [P, 2] int64: a caption and, as a place among `rows`, a picture that has it
    pictures: Tensor | None  # [N, D], where the system has a side for them
    rows: list[int]


@torch.inference_mode()
def embedded(
    system: Any,
    collection: "Collection",
    rows: Sequence[int],
    vocabulary: Vocabulary,
    *,
    most: int | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Embedded:
    """Embed the pictures of `rows` that have captions, and (at most so many of) these. Raises DataError without any."""
    told = {row: collection.captions(row)[:most] for row in rows}
    kept = [row for row, captions in told.items() if captions]
    if not kept:
        raise DataError(f"none of these pictures of {collection.path} has a caption; choose another --split")
    numbers: dict[str, int] = {}
    pairs = [
        (numbers.setdefault(caption.lower(), len(numbers)), place)
        for place, row in enumerate(kept)
        for caption in told[row]
    ]
    texts = list(numbers)
    captions = []
    for start in range(0, len(texts), _TOGETHER):
        letters, words = (
            torch.from_numpy(part).to(device) for part in coded(texts[start : start + _TOGETHER], vocabulary)
        )
        captions.append(system.embed(letters, words).float().cpu())
        progress(start + len(letters))
    pictures = None
    if system.config.pairs == "pictures":
        parts = [kept[at : at + _TOGETHER] for at in range(0, len(kept), _TOGETHER)]
        images = (pixels.to_float(torch.from_numpy(collection.images[part])).to(device) for part in parts)
        pictures = torch.cat([system.embed_pictures(image).float().cpu() for image in images])
    return Embedded(torch.cat(captions), texts, torch.tensor(pairs), pictures, kept)


def measured(job: "Job") -> dict[str, tuple[float, str]]:
    """Figures of a split: name -> value, and what it is."""
    from telldraw.commands.picture_evaluation import progress

    collection, told = job.collection, (job.collection.captions(row) for row in job.rows)
    with progress("embedded", len({caption.lower() for own in told for caption in own})) as tell:
        known = embedded(
            job.loaded.system, collection, job.rows, job.loaded.vocabulary, device=job.options.device, progress=tell
        )
    if known.pictures is None:
        found = retrieval.among_captions(known.captions, known.pairs)
        what = f"{len(found):,} captions find another one of a picture of theirs"
        return _first("caption_to_caption", found, what, len(known.texts))
    forth, back = retrieval.by_picture(known.captions, known.pictures, known.pairs)
    them = f"{len(forth):,} captions find a picture of theirs among {len(back):,}"
    figures = _first("caption_to_picture", forth, them, len(back))
    figures |= _first("picture_to_caption", back, f"{len(back):,} pictures find a caption of theirs", len(forth))
    if not collection.many and collection.classes:
        classes = torch.from_numpy(collection.labels[known.rows].argmax(1))
        ranked, precision = retrieval.by_class(
            known.captions[known.pairs[:, 0]], known.pictures, classes[known.pairs[:, 1]], classes
        )
        what = f"{len(ranked):,} pictures find their class, the mean of its captions, among {len(precision)}"
        figures |= _first("picture_to_class", ranked, what, len(precision))
        if len(classes) > FIRST[-1]:
            what = f"share of the 50 pictures each of {len(precision)} classes finds first that are of it (AP@50)"
            figures["class_to_picture_ap50"] = (precision.mean().item(), what)
    return figures


def _first(name: str, found: Tensor, what: str, targets: int) -> dict[str, tuple[float, str]]:
    """The shares found among the first 1, 5, 50, as far as that leaves anything out."""
    return {
        f"{name}_top{count}": (retrieval.within(found, count), f"{what}, among the first {count}")
        for count in FIRST
        if count < targets
    }


def found(
    system: Any, collection: "Collection", rows: Sequence[int], *, device: torch.device | str = "cpu"
) -> list[Strip]:
    """Captions of validation pictures and what each finds first: pictures, or other captions."""
    known = _some(system, collection, "val" if collection.splits.get("val") else "train", device)
    strips, owners = [], [[] for _ in known.texts]
    for caption, place in known.pairs.tolist():
        owners[caption].append(known.rows[place])
    asked = np.linspace(0, len(known.texts) - 1, min(_CAPTIONS, len(known.texts))).round().astype(int).tolist()
    for query in asked:
        if known.pictures is None:
            scores = known.captions @ known.captions[query]
            scores[query] = -torch.inf
            best = [(owners[n][0], known.texts[n]) for n in scores.topk(min(_SHOWN, len(scores) - 1)).indices.tolist()]
        else:
            best = seen(known.pictures @ known.captions[query], known.rows, collection, _SHOWN)
        frames = [Frame(picture(collection, owners[query][0]), "its own", "")]
        for row, text in best:
            frames.append(Frame(picture(collection, row), "right" if row in owners[query] else "", text[:80]))
        strips.append(Strip(known.texts[query][:160], frames))
    return strips


def summary(system: Any, collection: "Collection", split: str, *, device: torch.device | str = "cpu") -> str:
    """One line beside a sheet: how many captions find what belongs to them."""
    known = _some(system, collection, split, device)
    if known.pictures is None:
        ranks = retrieval.among_captions(known.captions, known.pairs)
        what = "captions find another of their picture"
    else:
        ranks, _ = retrieval.by_picture(known.captions, known.pictures, known.pairs)
        what = "captions find their picture"
    shares = ", ".join(f"{retrieval.within(ranks, n):.3f} among the first {n}" for n in FIRST if n < len(known.rows))
    return f"{len(ranks):,} {split} {what}: {shares}"


def _some(system: Any, collection: "Collection", split: str, device: torch.device | str) -> Embedded:
    assert collection.vocabulary is not None  # or nothing could have been trained
    own = collection.splits[split]
    rows = own[:: max(1, len(own) // _LOOKED_AT)][:_LOOKED_AT]  # from all of it: rows may be sorted by class
    return embedded(system, collection, rows, collection.vocabulary, most=2, device=device)


def seen(scores: Tensor, rows: Sequence[int], collection: "Collection", count: int) -> list[tuple[int, str]]:
    """The rows with the highest scores, and what each shows."""
    best = scores.topk(min(count, len(scores))).indices.tolist()
    return [(rows[n], ", ".join(collection.shown(rows[n]))) for n in best]


def picture(collection: "Collection", row: int) -> Image.Image:
    """One picture, large enough to be looked at."""
    image = pixels.of_array(collection.images[row].transpose(1, 2, 0)).convert("RGB")
    return enlarge(image, max(1, round(_WIDTH / image.width)), collection.manifest.get("aspect", 1.0))
