"""Figures of what generates pictures from noise: is the label obeyed, are they varied, how likely do they make others.

For `telldraw evaluate`; the equations are in `metrics`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from telldraw import pixels
from telldraw.commands.counting import counted
from telldraw.commands.latents import truncate
from telldraw.commands.picture_evaluation import Figure, Job, check_fits, frechet, progress
from telldraw.commands.picture_sheets import one_hot
from telldraw.drawing.noise import noise
from telldraw.drawing.sheet import enlarge, grid
from telldraw.errors import DataError, WeightsError

if TYPE_CHECKING:
    from telldraw.data.collection import Collection
    from telldraw.weights import Loaded

NONE = "none"
"""Value of --classifier that asks for no judge."""
_COLUMNS, _ROWS, _WIDTH = 10, 10, 56  # of the sheet; the width in pixels of one picture, about
_TOGETHER = 500  # pictures drawn or judged at once
_COMPARED = 1000  # drawn pictures whose nearest training picture is sought
_IN_MEMORY = 5000  # training pictures compared at once


class Drawn(NamedTuple):
    """What was drawn to be measured."""

    image: Tensor  # [M, C, H, W] float in [-1, 1]
    asked: Tensor | None  # [M] int64, the class of each: all classes in turn; None without classes


@torch.inference_mode()
def draw(job: Job) -> Drawn:
    """`--samples` pictures of the noise of `--seed`, as many of each class as of any other.

    Where pictures have several classes, they are drawn for the labels of the measured split, in its order. What
    truncates, for people to see, does not here: figures are of all that was learnt.
    """
    system: Any = job.loaded.system
    truncate(system, 1.0)
    count, classes = job.options.samples, system.label_dim
    asked = torch.arange(count) % classes if classes and not job.collection.many else None
    own = np.asarray(job.rows)
    parts: list[Tensor] = []
    with progress("drawn", count) as tell:
        for start in range(0, count, _TOGETHER):
            numbers = range(start, min(start + _TOGETHER, count))
            z = torch.from_numpy(np.stack([noise(job.options.seed, n, system.noise_dim) for n in numbers]))
            label = None
            if asked is not None:
                label = one_hot(asked[numbers].tolist(), classes, job.options.device)
            elif classes:
                chosen = job.collection.labels[own[np.asarray(numbers) % len(own)]]
                label = torch.from_numpy(chosen).float().to(job.options.device)
            parts.append(system.generate(z.to(job.options.device), label).float().cpu())
            tell(numbers.stop)
    return Drawn(torch.cat(parts), asked)


def generation(job: Job) -> dict[str, Figure]:
    """All figures of a system that is Generative, and a sheet of what it drew."""
    judge = chosen(job.options.classifier, job.collection, job.options.device)  # who is refused, is before the drawing
    _check_samples(job)
    drawn = draw(job)
    columns = min(len(job.collection.classes), _COLUMNS) if drawn.asked is not None else _COLUMNS
    job.sheets["samples"] = sheet(drawn, columns)
    figures = _likelihood(job, drawn) | _copies(job, drawn)
    if drawn.asked is None and judge is not None:
        figures = _features(job, drawn, judge, true_pictures(job.collection, job.rows)[0]) | figures
    if drawn.asked is not None:
        if judge is None:
            figures["conditional_accuracy"] = Figure("not measured", "no classifier; name one with --classifier")
        else:
            figures = _obedience(job, drawn, judge) | figures
        figures |= _spread(job, drawn) | _verdicts(job, drawn)
    return figures


def _check_samples(job: Job) -> None:
    """Raise DataError when too few are drawn to say anything of each class."""
    classes = getattr(job.loaded.system, "label_dim", 0)
    if classes and not job.collection.many and job.options.samples < 2 * classes:
        raise DataError(
            f"--samples {job.options.samples}: at least {2 * classes} are needed, two of each of "
            f"{counted(classes, 'class', 'classes')}"
        )


def sheet(drawn: Drawn, columns: int) -> Image.Image:
    """The first drawings, not picked, a column for each class."""
    if drawn.asked is None:
        first = list(range(min(len(drawn.image), columns * _ROWS)))
    else:
        of_class = [(drawn.asked == index).nonzero()[:_ROWS, 0].tolist() for index in range(columns)]
        first = [row[number] for number in range(min(map(len, of_class))) for row in of_class]
    pictures = [pixels.to_image(drawn.image[number]).convert("RGB") for number in first]
    return grid([enlarge(picture, max(1, round(_WIDTH / picture.width))) for picture in pictures], columns)


# --- who judges ---------------------------------------------------------------------------------------------------


def chosen(given: str | None, collection: "Collection", device: str) -> "Loaded | None":
    """The classifier that was named, or the one at hand for these pictures; None where there is none or none is wanted.

    Raises WeightsError when what was named is no classifier of these classes, or of pictures of another size or kind.
    """
    from telldraw import weights
    from telldraw.protocols import Classifier

    if given == NONE:
        return None
    if given is None:
        wanted = "classifier", collection.name, collection.resolution, list(collection.classes)
        for folder in weights.at_hand().values():
            about = weights.card(folder)
            if tuple(about.get(key) for key in ("system", "data", "resolution", "classes")) == wanted:
                return weights.load(folder, device)
        return None
    loaded = weights.load(weights.find(given), device)
    if not isinstance(loaded.system, Classifier):
        raise WeightsError(f"--classifier {given} holds {loaded.card['system']}, which does not classify pictures")
    if tuple(loaded.card.get("classes", ())) != collection.classes:
        raise WeightsError(f"--classifier {given} knows other classes than {collection.path} has; train one on these")
    try:
        check_fits(loaded.card, collection)
    except DataError as error:
        raise WeightsError(f"--classifier {given} does not judge these pictures: {error}") from None
    return loaded


@torch.inference_mode()
def _in_parts(function: Callable[[Tensor], Tensor], images: Tensor, device: str) -> Tensor:
    return torch.cat([function(part.to(device)).float().cpu() for part in images.split(_TOGETHER)])


def true_pictures(collection: "Collection", rows: range) -> tuple[Tensor, Tensor]:
    """Pictures [N, C, H, W] in [-1, 1] and the class of each [N] (the first one, where there are several)."""
    image = pixels.to_float(torch.from_numpy(collection.images[rows.start : rows.stop]))
    return image, torch.from_numpy(collection.labels[rows.start : rows.stop].argmax(1).astype(np.int64))


# --- the figures --------------------------------------------------------------------------------------------------


def _obedience(job: Job, drawn: Drawn, judge: "Loaded") -> dict[str, Figure]:
    """What an independent classifier sees in the drawings, and how far its features of them are from true ones."""
    from telldraw.metrics import conditional

    assert drawn.asked is not None
    system: Any = judge.system
    device, names = job.options.device, job.collection.classes
    image, label = true_pictures(job.collection, job.rows)
    shown, seen = (_in_parts(system.classify, each, device).argmax(1) for each in (drawn.image, image))
    own = float((seen == label).double().mean())
    counts = conditional.confusion(drawn.asked, shown, len(names))
    share = float(counts.diagonal().sum()) / len(shown)
    each = ", ".join(f"{name} {100 * s:.1f}" for name, s in zip(names, conditional.class_accuracy(counts), strict=True))
    job.tables["asked for (row), and seen by the classifier (column)"] = [
        ["", *names],
        *([name, *map(str, row)] for name, row in zip(names, counts.tolist(), strict=True)),
    ]
    found = {
        "conditional_accuracy": Figure(
            share,
            f"share of {len(shown):,} drawings that {judge.name} sees as what they were asked to be",
            (share * (1 - share) / len(shown)) ** 0.5,
        ),
        "classifier_accuracy": Figure(own, f"the same judge on {len(image):,} true {job.options.split} pictures"),
        "by_class": Figure(each, "conditional accuracy of each class, in percent"),
    }
    return found | _features(job, drawn, judge, image)


def _features(job: Job, drawn: Drawn, judge: "Loaded", image: Tensor) -> dict[str, Figure]:
    """How far drawings are from true pictures [N, C, H, W] in the judge's features, beside training pictures."""
    system: Any = judge.system
    device = job.options.device
    real, found = _in_parts(system.features, image, device), {}
    floor, _ = true_pictures(job.collection, job.collection.split("train")[: len(drawn.image)])
    for name, pictures, what in (
        ("frechet_classifier", drawn.image, "drawings"),
        ("frechet_classifier_floor", floor, "training pictures"),
    ):
        found[name] = frechet(real, _in_parts(system.features, pictures, device), what, job.warnings)
    return found


def _spread(job: Job, drawn: Drawn) -> dict[str, Figure]:
    """How different the drawings of one class are, beside true pictures of that class."""
    from telldraw.metrics.conditional import class_spread

    assert drawn.asked is not None
    image, label = true_pictures(job.collection, job.rows)
    classes = len(job.collection.classes)
    ours, theirs = class_spread(drawn.image / 2, drawn.asked, classes), class_spread(image / 2, label, classes)
    ratio = ours / theirs
    each = ", ".join(f"{name} {share:.2f}" for name, share in zip(job.collection.classes, ratio, strict=True))
    return {
        "class_spread": Figure(float(ours.nanmean()), "deviation of a pixel, 0 to 1, among drawings of one class"),
        "class_spread_true": Figure(float(theirs.nanmean()), f"the same among true {job.options.split} pictures"),
        "class_spread_ratio": Figure(each, "drawn over true, by class; near 0: each class is one picture"),
    }


def _copies(job: Job, drawn: Drawn) -> dict[str, Figure]:
    """How near drawings are to training pictures, beside how near true pictures that were not trained on are."""
    from telldraw.metrics.conditional import nearest

    train = job.collection.split("train")
    image, _ = true_pictures(job.collection, job.rows[:_COMPARED])
    found = {}
    for name, pictures, what in (("drawn", drawn.image, "drawings"), ("true", image, f"{job.options.split} pictures")):
        parts = [
            nearest(pictures[:_COMPARED] / 2, true_pictures(job.collection, train[at : at + _IN_MEMORY])[0] / 2)[0]
            for at in range(0, len(train), _IN_MEMORY)
        ]
        distance = torch.stack(parts).amin(0)
        found[f"nearest_{name}"] = Figure(
            float(distance.median()),
            f"median distance of {len(distance):,} {what} to the nearest training picture, pixels from 0 to 1; "
            f"least {float(distance.min()):.2f}",
        )
    return found


def _likelihood(job: Job, drawn: Drawn) -> dict[str, Figure]:
    """Parzen-window log-likelihood, and the same with training pictures in place of drawings."""
    from telldraw.metrics.parzen import parzen

    known = job.collection
    if not known.splits.get("val"):
        return {"parzen": Figure("not measured", f"{known.path} has no validation pictures to choose the width on")}
    held, test, train = (
        (true_pictures(known, rows)[0] + 1) / 2
        for rows in (known.split("val"), job.rows, known.split("train")[: len(drawn.image)])
    )
    found = {}
    for name, centres, what in (
        ("parzen", (drawn.image + 1) / 2, "drawings"),
        ("parzen_of_training_pictures", train, "training pictures"),
    ):
        figure = parzen(centres.clamp(0, 1), held, test)
        about = f"log-likelihood in nats of {len(test):,} true pictures, Gaussians of width {figure.sigma:.3f} around"
        found[name] = Figure(figure.mean, f"{about} {len(centres):,} {what}", figure.error)
    return found


def _verdicts(job: Job, drawn: Drawn) -> dict[str, Figure]:
    """What the run's own discriminator says of right and wrong pairs; a weights folder holds none."""
    from telldraw.metrics.conditional import KINDS, verdicts

    judging = critic(job)
    if judging is None:
        return {}
    assert drawn.asked is not None
    image, label = true_pictures(job.collection, job.rows)
    classes = len(job.collection.classes)
    generator = torch.Generator().manual_seed(job.options.seed)
    logits: dict[str, Tensor] = {}
    for pictures, right, kinds in ((image, label, KINDS[:2]), (drawn.image, drawn.asked, KINDS[2:])):
        wrong = (right + torch.randint(1, classes, (len(right),), generator=generator)) % classes
        for kind, shown in zip(kinds, (right, wrong), strict=True):
            told = one_hot(shown.tolist(), classes)
            pairs = zip(pictures.split(_TOGETHER), told.split(_TOGETHER), strict=True)
            with torch.inference_mode():
                device = job.options.device
                logits[kind] = torch.cat([judging.judge(x.to(device), y.to(device)).float().cpu() for x, y in pairs])
    found = {}
    for kind, verdict in verdicts(logits).items():
        name = kind.replace(" picture, ", "_").replace(" label", "")
        about = f"mean of the discriminator's D: {kind}; accepted (D > 1/2): {100 * verdict.accepted:.1f} %"
        found[f"judged_{name}"] = Figure(verdict.mean, about)
        if verdict.auc is not None:
            found[f"auc_{name}"] = Figure(verdict.auc, f"share of pairs in which {KINDS[0]} is above {kind} (AUC)")
    return found


def critic(job: Job) -> Any:
    """The system with its discriminator, from the training state beside the weights; None where there is none."""
    from telldraw import systems
    from telldraw.training import checkpoint

    own: Any = job.loaded.system
    if not hasattr(own, "judge") or "discriminator" not in own.training_only:
        return None
    given = Path(job.options.weights)
    found = next((place for place in (given, given.parent) if checkpoint.states(place)), None)
    if found is None:
        return None
    state = checkpoint.load_latest(found, device=job.options.device, warn=print)
    if state is None:
        raise DataError(f"no training state in {found} can be read, so its discriminator cannot be asked")
    whole: Any = systems.load(job.loaded.card["system"]).System(own.config)
    # the critic of the state beside exactly the weights that draw
    whole.load_state_dict(state["average"] | own.state_dict())
    return whole.to(job.options.device).eval()
