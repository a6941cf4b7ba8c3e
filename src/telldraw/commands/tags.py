"""Taggers among the commands: their figures, beside what is as easily guessed, and their sample sheets."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from telldraw import pixels
from telldraw.drawing.sheet import Frame, Strip, enlarge, scale_for
from telldraw.metrics import tagging

if TYPE_CHECKING:
    from telldraw.data.collection import Collection
    from telldraw.protocols import Tagger

FEW = 1
"""Words looked up for a sample where a few hundred are known. The paper's 20 are of 247,465; of 362 they are an
eighteenth, and the ten most common of so many neighbours are those that are near to everything."""
NEIGHBOURS = (1, 3, 5, 10, 20, 40, 80, 160)
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Numbers of neighbours and ridges from which validation chooses."""
_SHOWN, _QUICK = 12, 500  # pictures on a sheet; pictures scored beside it


def _used(collection: "Collection", rows: Sequence[int]) -> Tensor:
    return torch.from_numpy(collection.labels[list(rows)].astype("int64"))


def _features(collection: "Collection", rows: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    assert collection.features is not None  # tag_facts has been asked for
    return torch.from_numpy(collection.features[list(rows)]).to(device)


# --- figures --------------------------------------------------------------------------------------------------------


def measured(job: Any) -> dict[str, tuple[float, str, float | None]]:
    """All figures of a tagger: name -> (value, what it is, standard error)."""
    from telldraw.commands.picture_evaluation import progress

    system, data, rows = job.loaded.system, job.collection, job.rows
    facts, seed, device = data.tag_facts, job.options.seed, job.options.device
    used, features = _used(data, rows), _features(data, rows, device)

    def found(words: int) -> tagging.Proposed:
        with progress("tagged", len(rows)) as tell:
            every = len(system.vectors)
            parts = tagging.propose(system, features, seed=seed, words=words, tags=every, progress=tell)
        return tagging.Proposed(*(part.cpu() for part in parts))

    many, few = found(tagging.NEAREST), found(FEW)
    proposed = {_name(words): each.tags[:, : tagging.TAGS] for words, each in ((tagging.NEAREST, many), (FEW, few))}
    told = {_name(words): _protocol(words) for words in (tagging.NEAREST, FEW)}
    for name, (what, tags) in _guesses(data, rows, seed).items():
        proposed[name], told[name] = tags, what
    table = torch.from_numpy(facts.vectors)
    for words in (tagging.NEAREST, FEW):
        name = f"people's own words, {words} nearest"
        proposed[name] = tagging.of_people(used, table, seed=seed, words=words)
        told[name] = "the protocol with samples drawn from the answer: what it leaves possible"
    figures: dict[str, tuple[float, str, float | None]] = {}
    for name, tags in proposed.items():
        scored = tagging.score(tags, used)
        precision, recall = _mean(scored.precision), _mean(scored.recall)
        different = len(tags[tags >= 0].unique())
        figures[name] = (precision[0], f"precision at 10; {told[name]}; {different} different words", precision[1])
        figures[f"{name}: recall"] = (recall[0], "recall at 10", recall[1])
    samples = tagging.of_samples(few, used)
    right, spread = _mean(samples.right), _mean(samples.different)
    figures["samples right"] = (right[0], "share of samples whose nearest word people used", right[1])
    figures["words a picture"] = (spread[0], f"different words among {tagging.SAMPLES} samples of a picture", spread[1])
    by_chance = (tagging.word_shares(_used(data, data.splits["train"])) @ used.T.double()).mean().item()
    figures["samples right, most frequent words"] = (
        by_chance,
        "the same for words drawn as often as in training",
        None,
    )
    best = tagging.best_possible(used)
    figures["best possible"] = (
        _mean(best.precision)[0],
        f"precision at 10 of a person's own tags, {len(rows):,}",
        None,
    )
    figures["best possible: recall"] = (_mean(best.recall)[0], "recall at 10 of a person's own tags", None)
    return figures


def _name(words: int) -> str:
    return f"tagger, {words} nearest"


def _protocol(words: int) -> str:
    return f"{tagging.SAMPLES} samples a picture, {words} nearest of the words each, the {tagging.TAGS} most common"


def _guesses(data: "Collection", rows: Sequence[int], seed: int) -> dict[str, tuple[str, Tensor]]:
    """What needs no adversary: name -> (what it is, tags [N, 10]). What has a setting chose it on validation."""
    facts = data.tag_facts
    mean, deviation = torch.from_numpy(facts.mean), torch.from_numpy(facts.deviation)
    train = data.splits["train"]
    val = data.splits.get("val") or train

    def seen(of: Sequence[int]) -> Tensor:
        return (_features(data, of) - mean) / torch.where(deviation > 0, deviation, 1.0)

    x, own, table = seen(train), _used(data, train), torch.from_numpy(facts.vectors)
    centres = tagging.mean_vectors(own, table)
    ways: dict[str, tuple[str, tuple[float, ...], Callable[[Tensor, Any], Tensor]]] = {
        "nearest pictures": (
            "the tags most used on the {:g} most similar training pictures",
            tuple(count for count in NEIGHBOURS if count <= len(x)),
            lambda at, count: tagging.of_neighbours(at, x, own, int(count)),
        ),
        "linear map to words": (
            "ridge regression to the mean of the words' vectors, its 10 nearest words, as DeViSE (ridge {:g})",
            PENALTIES,
            lambda at, ridge: tagging.nearest(tagging.of_linear_map(at, x, centres, ridge), table, tagging.TAGS),
        ),
        "linear classifier": (
            "ridge regression to the tags themselves (ridge {:g})",
            PENALTIES,
            lambda at, ridge: tagging.highest(tagging.of_linear_map(at, x, own.float(), ridge)),
        ),
    }
    found = {
        "random words": ("10 words drawn for each picture", tagging.at_random(len(rows), len(table), seed=seed)),
        "most frequent words": ("the 10 words most used in training", tagging.most_frequent(len(rows), own)),
    }
    at_val, used_val, at_rows = seen(val), _used(data, val), seen(rows)
    for name, (what, values, guess) in ways.items():

        def quality(value: float, guess: Callable[[Tensor, Any], Tensor] = guess) -> float:
            return tagging.score(guess(at_val, value), used_val).precision.mean().item()

        best = max(values, key=quality)
        found[name] = what.format(best), guess(at_rows, best)
    return found


def _mean(values: Tensor) -> tuple[float, float]:
    """Mean and standard error of what is a number."""
    values = values[values.isfinite()]
    if not len(values):
        return math.nan, math.nan
    return values.mean().item(), (values.std(correction=0) / len(values) ** 0.5).item()


def summary(system: "Tagger", data: "Collection", rows: Sequence[int]) -> str:
    """Precision at 10 of some pictures, in words; for beside a sheet."""
    rows = rows[:_QUICK]
    used, features = _used(data, rows), _features(data, rows, system.vectors.device)
    parts = []
    for words in (tagging.NEAREST, FEW):
        found = tagging.propose(system, features, seed=0, words=words).tags.cpu()
        parts.append(f"{_mean(tagging.score(found, used).precision)[0]:.4f} ({words} nearest)")
    return f"precision at 10 of the first {len(rows):,} " + ", ".join(parts)


# --- sheets ---------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def sheet(
    system: "Tagger",
    collection: "Collection",
    rows: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    words: int = FEW,
) -> list[Strip]:
    """Pictures, the words people used and those found, in capitals where people used them too: the paper's table 2."""
    chosen = list(rows)[:_SHOWN]
    proposed = tagging.propose(system, _features(collection, chosen, device), seed=0, words=words)
    frames = []
    for row, tags in zip(chosen, proposed.tags.tolist(), strict=True):
        picture = pixels.of_array(collection.images[row].transpose(1, 2, 0)).convert("RGB")
        large = enlarge(picture, scale_for(picture.width, None), collection.manifest.get("aspect", 1.0))
        own = set(collection.shown(row))
        names = [collection.classes[tag] for tag in tags if tag >= 0]
        found, right = [name.upper() if name in own else name for name in names], sum(name in own for name in names)
        told = f"people: {', '.join(collection.shown(row))}. FOUND, {right} of {len(tags)}: {', '.join(found)}"
        frames.append(Frame(large, "", told))
    return [Strip(f"the words people used, and the {tagging.TAGS} found ({words} nearest of each sample)", frames)]
