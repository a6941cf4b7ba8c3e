"""Figures of classifiers for `telldraw evaluate`: how often they are right, and of several classes each by itself."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from telldraw.commands.picture_evaluation import Figure, Job, progress
from telldraw.metrics import faces
from telldraw.metrics.classification import EachClass, each_class, exact, logits_of, right

if TYPE_CHECKING:
    from collections.abc import Callable

EACH = "each class"
"""Heading of the table."""


def classification(job: Job) -> dict[str, Figure]:
    """How often a classifier is right on the true pictures."""
    system: Any = job.loaded.system
    with progress("classified", len(job.rows)) as tell:
        logits = logits_of(system, job.collection.images, job.rows, device=job.options.device, progress=tell)
    label = torch.from_numpy(job.collection.labels[list(job.rows)])
    measures: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {"accuracy": (right, "named rightly")}
    if job.collection.many:
        measures = {
            "accuracy": (right, "whose likeliest class is one of theirs"),
            "exact": (exact, "all of whose classes have a probability above 1/2, and no other"),
        }
    found = {
        name: _share(measure(logits, label), f"true pictures {what}") for name, (measure, what) in measures.items()
    }
    return found | (_many(job, logits, label) if job.collection.many else {})


def _share(right: Tensor, what: str) -> Figure:
    share, count = float(right.double().mean()), len(right)
    return Figure(share, f"share of {count:,} {what}", (share * (1 - share) / count) ** 0.5)


def _many(job: Job, logits: Tensor, label: Tensor) -> dict[str, Figure]:
    """Each class by itself, as a table and as means; and the questions that faces are measured by."""
    names, each = job.collection.classes, each_class(logits, label)
    job.tables[EACH] = table_of(names, each)
    count = f"mean over {len(names)} classes"
    found = {
        "class_accuracy": Figure(float(each.accuracy.mean()), f"share of answers that are right, {count}"),
        "class_balanced": Figure(
            float(each.balanced.nanmean()), f"the same, half of pictures with the class and half without; {count}"
        ),
        "class_f1": Figure(float(each.f1.nanmean()), f"F1 at a probability of 1/2, {count}"),
    }
    return found | _questions(names, logits.sigmoid(), label)


def _questions(names: tuple[str, ...], probability: Tensor, label: Tensor) -> dict[str, Figure]:
    """The four questions that edits of faces are measured by, as far as these classes answer them."""
    found: dict[str, Figure] = {}
    if set(faces.HAIR) <= set(names):
        columns = [names.index(name) for name in faces.HAIR]
        seen, true = (faces.hair_colour(each[:, columns].float()) for each in (probability, label))
        what = f"true pictures whose hair colour, or that it is none of {len(faces.HAIR)}, is told"
        found["hair_colour"] = _share(seen == true, what)
    for name in faces.ASKED_OF_EDITS[len(faces.HAIR) :]:
        if name in names:
            column = names.index(name)
            told = (probability[:, column] > faces.THERE) == (label[:, column] > 0)
            found[name.lower()] = _share(told, f"true pictures of which it is told whether they have {name}")
    return found


def table_of(names: tuple[str, ...], each: EachClass) -> list[list[str]]:
    """Figures of each class in percent, as rows under their heads."""
    rows = zip(names, *(column.tolist() for column in each), strict=True)
    return [
        ["class", "there", "accuracy", "balanced", "F1"],
        *([name, *("" if value != value else f"{100 * value:.1f}" for value in values)] for name, *values in rows),
    ]
