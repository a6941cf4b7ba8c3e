"""`telldraw evaluate` for systems that are trained on pictures: every figure that what they can do allows.

A capability's figures are a function here or in a module beside it, and a line in `MEASURES`.
"""

import json
import os
import platform
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from telldraw import __version__
from telldraw.commands import distribution
from telldraw.commands.table import table
from telldraw.errors import DataError, TelldrawError
from telldraw.systems import SYSTEMS, capabilities

if TYPE_CHECKING:
    from torch import Tensor

    from telldraw.data.collection import Collection
    from telldraw.weights import Loaded


class Figure(NamedTuple):
    """One line of a report."""

    value: float | str
    what: str
    """What it is, and of how many pictures."""
    error: float | None = None
    """Standard error, where there is one."""


@dataclass
class Job:
    """What a measure is given, and where it may leave pictures."""

    loaded: "Loaded"
    folder: Path
    """Of the weights."""
    collection: "Collection"
    options: Any
    """The flags of `telldraw evaluate`."""
    sheets: dict[str, Image.Image] = field(default_factory=dict)
    """Pictures for the report's folder, by file name without ending."""
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    """Rows under a heading for the report, the first row being the heads of the columns."""
    warnings: list[str] = field(default_factory=list)
    """What must be said beside the figures."""

    @property
    def rows(self) -> range:
        """The rows of the split that are measured."""
        return self.collection.split(self.options.split)[: self.options.limit]


def is_picture_system(folder: Path) -> bool:
    """Whether the weights in `folder` are of a system trained on pictures rather than on dialogues."""
    from telldraw.weights import card

    entry = SYSTEMS.get(card(folder)["system"])
    return entry is not None and entry.batch in ("Pictures", "Tags", "Captioned", "Described", "Multimodal")


def evaluate(argv: list[str], options: Any, folder: Path, out: Path) -> None:
    """Measure the weights in `folder` on the prepared pictures, write the report, show it."""
    from telldraw import weights
    from telldraw.commands import report as writing
    from telldraw.data.collection import Collection

    weights.check_device(options.device)
    collection = Collection.open(options.data)
    if not len(collection.split(options.split)):
        raise DataError(f"the split {options.split!r} of {options.data} is empty: there is nothing to measure")
    loaded = weights.load(folder, options.device)
    check_fits(loaded.card, collection)
    job = Job(loaded, folder, collection, options)
    figures: dict[str, Figure] = {}
    for capability in capabilities(loaded.card["system"], loaded.system):
        if capability in MEASURES:
            figures |= MEASURES[capability](job)
    report = _report(job, argv, figures)
    _write(report, job.sheets, out)
    writing.present(report, out, _show, as_json=options.json)
    if options.into_card:
        weights.note(folder, {name: figure.value for name, figure in figures.items()})


def check_fits(card: dict[str, Any], collection: "Collection") -> None:
    """Raise DataError when the weights with this card are of other pictures, or know other classes, than these."""
    here, name = collection, card.get("name", "the system")
    side, channels = card.get("resolution", here.resolution), card.get("channels", here.channels)
    if side != here.resolution:
        raise DataError(
            f"{here.path} has pictures of {here.resolution}x{here.resolution} pixels, {name} was trained on "
            f"{side}x{side}; prepare it with --resolution {side}"
        )
    if channels != here.channels:
        ours, theirs = ("in grey" if each == 1 else "in colour" for each in (here.channels, channels))
        raise DataError(
            f"{here.path} has pictures {ours}, {name} was trained on pictures {theirs}; take a set {theirs}, or train "
            "on this one"
        )
    if _knows_classes(card) and tuple(card.get("classes", here.classes)) != here.classes:
        known = f"{card['data']} as it was prepared for them" if card.get("data") else "the one they were trained on"
        raise DataError(
            f"{here.path} has other classes than {name} was trained on; take a set with the same, such as {known}"
        )


def _knows_classes(card: dict[str, Any]) -> bool:
    """Whether the weights with this card take or give the classes of their data; others do not care what these are."""
    entry, config = SYSTEMS.get(card.get("system", "")), card.get("config", {})
    if entry is not None and entry.batch in ("Tags", "Multimodal"):
        return True
    return bool(config.get("num_classes", 0)) and config.get("conditional", True)


def frechet(
    real: "Tensor", features: "Tensor", what: str, warnings: list[str], *, whose: str = "the judge's features"
) -> Figure:
    """Fréchet distance of features [M, D] to real ones [N, D], none of them Inception's; adds what to be warned of."""
    from telldraw.metrics import distribution as figures

    distance = figures.frechet_distance(figures.statistics(real), figures.statistics(features))
    sentence = figures.few(min(len(real), len(features)))
    if sentence and (sentence := f"Fréchet distance: {sentence}") not in warnings:
        warnings.append(sentence)
    about = f"Fréchet distance of {len(features):,} {what} to {len(real):,} true ones in {whose}; no FID"
    return Figure(distance, about)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with the time left, to be told how many are done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def classification(job: Job) -> dict[str, Figure]:
    """How often a classifier is right on the true pictures."""
    from telldraw.commands.classification import classification

    return classification(job)


def generation(job: Job) -> dict[str, Figure]:
    """Whether labels are obeyed, how varied and how likely what is generated is."""
    from telldraw.commands.generation import generation

    return generation(job)


def density(job: Job) -> dict[str, Figure]:
    """How likely the system finds the pictures: minus log-likelihood, in nats and in bits per dimension."""
    from telldraw.metrics.likelihood import bounds, likelihood
    from telldraw.protocols import ImportanceWeighted

    system: Any = job.loaded.system
    rows, options = job.rows, job.options
    settings: dict[str, Any] = {
        "seed": options.seed,
        "device": options.device,
        "stochastic": getattr(system.config, "binarise", "none") == "stochastic",
    }
    codes = options.importance
    with progress("likelihood", len(rows)) as tell:
        if codes and isinstance(system, ImportanceWeighted):
            found = bounds(system, job.collection.images, rows, codes=codes, progress=tell, **settings)
            named = {"": ("minus the ELBO", found.elbo)}
            named[f"_importance_{codes}"] = f"minus the bound from {codes} codes a picture", found.importance
        else:
            exact = likelihood(system, job.collection.images, rows, progress=tell, **settings)
            named = {"": ("minus log p(x)", exact)}
    figures: dict[str, Figure] = {}
    of = f"mean of {len(rows):,} pictures; {getattr(system, 'likelihood_is', 'as the system says')}"
    for ending, (what, each) in named.items():
        figures[f"nll_nats{ending}"] = Figure(each.nats, f"{what} in nats, {of}", each.error)
        figures[f"nll_bits{ending}"] = Figure(each.bits, f"the same in bits for each of {each.dimensions:,} dimensions")
    return figures


def reconstruction(job: Job) -> dict[str, Figure]:
    """How near pictures come to themselves after encoding and decoding, and a sheet of them."""
    from telldraw.commands import picture_sheets
    from telldraw.drawing.sheet import contact_sheet
    from telldraw.metrics.reconstruction import reconstructed

    system: Any = job.loaded.system
    rows, known, device = job.rows, job.collection, job.options.device
    with progress("reconstructed", len(rows)) as tell:
        found = reconstructed(system, known.images, rows, device=device, progress=tell)
    page = picture_sheets.reconstructions(system, known, rows, device=device)
    job.sheets["reconstructions"] = contact_sheet(page)
    return {
        f"reconstruction_{name}": Figure(
            values.mean().item(),
            f"{what}, mean of {len(rows):,} pictures",
            values.std().item() / len(rows) ** 0.5 if len(rows) > 1 else None,
        )
        for name, what, values in found
    }


def coding(job: Job) -> dict[str, Figure]:
    """How the codes of a picture are used and, by a prior, how many bits they need."""
    from telldraw.commands.coding import coding

    return coding(job)


def tagging(job: Job) -> dict[str, Figure]:
    """How many of the words a tagger finds are words that people used."""
    from telldraw.commands import tags

    return {name: Figure(*figure) for name, figure in tags.measured(job).items()}


def finding(job: Job) -> dict[str, Figure]:
    """How well captions find pictures, and pictures captions."""
    from telldraw.commands import retrieval

    return {name: Figure(*figure) for name, figure in retrieval.measured(job).items()}


def depicting(job: Job) -> dict[str, Figure]:
    """Whether captions are obeyed, and how varied what is drawn from them is."""
    from telldraw.commands.depiction_evaluation import depicting

    return depicting(job)


def styling(job: Job) -> dict[str, Figure]:
    """Whether a style encoder knows backgrounds and poses, and whether drawings keep them."""
    from telldraw.commands.style_evaluation import measured

    return measured(job)


def guiding(job: Job) -> dict[str, Figure]:
    """Whether faces are as texts ask, and what else changes when they are edited."""
    from telldraw.commands.face_evaluation import guiding

    return guiding(job)


MEASURES: dict[str, Callable[[Job], dict[str, Figure]]] = {
    "Classifier": classification,
    "Density": density,
    "Autoencoder": reconstruction,
    "Generative": generation,
    "Coding": coding,
    "Tagger": tagging,
    "TextEncoder": finding,
    "TextToImage": depicting,
    "StyleEncoder": styling,
    "Guided": guiding,
}
"""Capability -> its figures."""


def _report(job: Job, argv: list[str], figures: dict[str, Figure]) -> dict[str, Any]:
    import torch

    card, options = job.loaded.card, job.options
    return {
        "command": shlex.join(["telldraw", "evaluate", *argv]),
        "date": date.today().isoformat(),
        "telldraw": __version__,
        "torch": torch.__version__,
        "weights": {key: card.get(key) for key in ("name", "system", "preset", "data", "examples")},
        "data": {"name": job.collection.name, "path": str(options.data), "split": options.split},
        "seed": options.seed,
        "device": f"{options.device}, {platform.machine()}, {torch.get_num_threads()} threads",
        "figures": {name: figure._asdict() for name, figure in figures.items()},
        "tables": job.tables,
        "warnings": job.warnings,
    }


_WIDTH = 100  # characters of the widest table that is shown in a terminal


def rows_of(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The figures as (name, value with its error, what it is)."""
    found = []
    for name, figure in report["figures"].items():
        value, error = figure["value"], figure["error"]
        text = value if isinstance(value, str) else f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
        found.append((name, text if error is None else f"{text} ± {error:.2g}", figure["what"]))
    return found


def _write(report: dict[str, Any], sheets: dict[str, Image.Image], out: Path) -> None:
    lines = ["# " + str(report["weights"]["name"]), "", "| figure | value | what it is |", "| --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows_of(report)]
    for heading, (heads, *rows) in report["tables"].items():
        lines += ["", f"{heading}:", "", f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [line for sentence in report["warnings"] for line in ("", f"*{sentence}*")]
    lines += ["", f"`{report['command']}`", "", f"{report['date']}, {report['device']}, torch {report['torch']}", ""]
    lines += [f"![{name}]({name}.png)" for name in sheets]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, sheet in sheets.items():
            sheet.save(out / f"{name}.png")
        for name, text in (("evaluation.md", "\n".join(lines)), ("evaluation.json", json.dumps(report, indent=1))):
            part = out / f"{name}.part"
            part.write_text(text + "\n", encoding="utf-8")
            os.replace(part, out / name)
    except OSError as error:
        raise TelldrawError(f"--out {out} cannot be written: {error.strerror}") from None


def _show(report: dict[str, Any]) -> None:
    facts = report["weights"]
    print(f"{facts['name']} on {report['data']['name']}, split {report['data']['split']}")
    print(table(("figure", "value", "what it is"), rows_of(report)))
    for heading, (heads, *rows) in report["tables"].items():
        if sum(max(map(len, column)) + 2 for column in zip(heads, *rows, strict=True)) <= _WIDTH:
            print(f"\n{heading}:\n{table(heads, rows)}")  # wider ones are in the report alone
    for sentence in report["warnings"]:
        distribution.warn(sentence)
