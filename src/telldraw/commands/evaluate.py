"""`telldraw evaluate`: how well weights draw the dialogues of a split. The work is in `metrics`; here it is wired.

torch is imported inside the functions that need it, so that `--help` and a wrong flag are answered at once.
"""

import platform
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from telldraw import __version__
from telldraw.errors import DataError, TelldrawError, WeightsError

if TYPE_CHECKING:
    from telldraw.batches import Dialogues, Facts
    from telldraw.commands.distribution import Watcher
    from telldraw.data.archive import Dataset
    from telldraw.metrics.evaluation import Measured, Scorer
    from telldraw.weights import Loaded


@dataclass(frozen=True)
class Options:
    """Measure a drawer on the dialogues of a split: losses, distance to the true pictures, objects, relations, speed.

    A detector or classifier is measured on the true pictures; what generates or reconstructs single pictures, on as
    many as --samples says. Prints tables, and writes evaluation.json and evaluation.md.
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN|WEIGHTS")]
    """A training run, a weights folder, or the name of weights at hand (telldraw weights)."""
    data: Annotated[Path, tyro.conf.arg(metavar="PREPARED")]
    """A data set that `telldraw prepare` wrote, at the resolution the weights draw."""
    split: str = "test"
    """Which part of the data set."""
    limit: int | None = None
    """Only the first so many dialogues (or pictures) of the split."""
    samples: int = 10_000
    """How many pictures a generator makes to be measured."""
    classifier: Annotated[str | None, tyro.conf.arg(metavar="RUN|WEIGHTS", aliases=["--judge"])] = None
    """Who judges what pictures show: a run or weights of the system `classifier`. By default the one at hand for this
    data set; none: nobody."""
    perceptual: str | None = None
    """Of tedigan: whose features compare pictures while the code of one is fitted, as in telldraw train; without it,
    pixels alone."""
    steps: int = 100
    """Of tedigan: steps in which a code is fitted to one picture; 0: none."""
    retriever: Annotated[str | None, tyro.conf.arg(metavar="RUN|WEIGHTS")] = None
    """Who ranks captions by drawings, for R-precision: a text encoder that looks at pictures. By default the one that
    reads captions for the weights."""
    importance: int = 64
    """Codes drawn for each picture, for the importance-weighted bound of its likelihood; 0: leave that bound out."""
    seed: int = 0
    """Seed of the noise of every turn."""
    lpips: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder with the two weight files that LPIPS needs (README: "LPIPS"); without it, LPIPS is left out."""
    detector: Annotated[str | None, tyro.conf.arg(metavar="RUN|WEIGHTS")] = None
    """What names and locates the objects: a run, weights, a checkpoint of GeNeVA's authors (.pth), or none. By default
    the detector at hand for this data set."""
    distribution: Literal["none", "inception", "detector"] = "none"
    """Also measure all drawings of dialogues together: FID and its kin in Inception's features, or the same equations
    under other names in the detector's (docs/metrics.md). Of single pictures that is telldraw compare."""
    inception: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of the FID's network; by default looked for in torch's cache."""
    into_card: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Write the main figures into the card of the weights, where `telldraw weights` shows them."""
    batch_size: int = 32
    """Dialogues drawn at once; figures do not depend on it, speed does."""
    device: str = "cpu"
    """Where to draw: cpu, cuda, cuda:1, ..."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Where the report goes (by default evaluation-SPLIT in the run or weights folder)."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the report as JSON instead of tables."""


def run(argv: list[str]) -> None:
    """Do what the words after `telldraw evaluate` say. Raises TelldrawError with a sentence for the user."""
    options = tyro.cli(Options, args=argv, prog="telldraw evaluate")
    for flag, value, least in (
        ("--batch-size", options.batch_size, 1),
        ("--limit", options.limit, 1),
        ("--samples", options.samples, 1),
        ("--importance", options.importance, 0),
        ("--steps", options.steps, 0),
    ):
        if value is not None and value < least:
            raise TelldrawError(f"{flag} {value}: at least {least} is needed")
    from telldraw.commands import detection, distribution, picture_evaluation  # here and below: see the first lines
    from telldraw.weights import find, note

    published = options.weights.endswith(".pth")
    folder = Path(options.weights) if published else find(options.weights)
    out = options.out or _beside(options.weights, folder) / f"evaluation-{options.split}"
    if not published and picture_evaluation.is_picture_system(folder):
        _check_single_pictures(options)
        picture_evaluation.evaluate(argv, options, folder, out)
        return
    dataset = _open(options.data, options.split)
    if detection.is_detector(options.weights):
        detection.evaluate(argv, options, dataset, out)
        return
    loaded = _load(folder, options, dataset.facts)
    detector = detection.chosen(options.detector, dataset.facts, options.device)
    watcher = distribution.watching(options.distribution, options.inception, detector, options.device)
    measured, why_no_losses = _measure(loaded, dataset, detector, watcher, options)
    report = _report(loaded, dataset, measured, why_no_losses, options, argv)
    report["detector"], report["note"] = detection.about(detector, dataset.facts)
    if watcher is not None:
        from telldraw.data.pictures import of_split

        report["distribution"] = watcher.report(of_split(dataset, options.split, options.limit), seed=options.seed)

    from telldraw.commands import report as writing

    writing.write(report, out)
    writing.present(report, out, writing.show, as_json=options.json)
    if options.into_card:
        note(folder, writing.figures(report))


def _check_single_pictures(options: Options) -> None:
    """Raise TelldrawError for flags that only a drawer of dialogues is measured with."""
    asked = "" if options.distribution == "none" else f"--distribution {options.distribution}"
    asked = asked or (f"--inception {options.inception}" if options.inception is not None else "")
    asked = asked or (f"--detector {options.detector}" if options.detector not in (None, "none") else "")
    if asked:
        raise TelldrawError(
            f"{asked} is for drawers of dialogues, and {options.weights} is of single pictures: have some drawn "
            f"(telldraw generate {options.weights} --n 2048 --folder DRAWN) and compare those: telldraw compare "
            f"{options.data} DRAWN --split {options.split} --inception FILE has the FID"
        )


def _beside(given: str, folder: Path) -> Path:
    """Where a report belongs: in the user's own folder, never among the shipped weights."""
    return Path(given) if Path(given).is_dir() else Path(f"{folder.name}")


def _open(path: Path, split: str) -> "Dataset":
    from telldraw.data.archive import Dataset

    dataset = Dataset.open(path)
    if split not in dataset.splits:
        raise DataError(f"{path} has no split {split!r}; it has {', '.join(sorted(dataset.splits))}")
    if not len(dataset.splits[split]):
        raise DataError(f"the split {split!r} of {path} is empty: there is nothing to measure")
    return dataset


def _load(folder: Path, options: Options, facts: "Facts") -> "Loaded":
    """The weights on their device, checked against the data set."""
    import torch

    from telldraw import pixels
    from telldraw.protocols import Conversational
    from telldraw.weights import load

    loaded = load(folder, options.device)
    if not isinstance(loaded.system, Conversational):
        raise WeightsError(f"{folder} holds {loaded.card['system']}, which does not draw turn by turn")
    start = loaded.system.start(1).canvas[0].float().cpu()
    if start.shape[-1] != facts.resolution:
        raise DataError(
            f"{options.data} has pictures of {facts.resolution}x{facts.resolution}, {loaded.name} draws "
            f"{start.shape[-1]}x{start.shape[-1]}; prepare the data with --resolution {start.shape[-1]}"
        )
    background = pixels.to_float(torch.from_numpy(facts.background.copy()).permute(2, 0, 1))
    if float((start - background).abs().mean()) > 0.05:
        raise DataError(
            f"{options.data} begins with another canvas than the one {loaded.name} was trained to begin with"
        )
    return loaded


def _measure(
    loaded: "Loaded", dataset: "Dataset", detector: "Loaded | None", watcher: "Watcher | None", options: Options
) -> tuple["Measured", str]:
    """One pass over the split with a progress bar, and the reason why there are no losses, if so."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from telldraw.metrics.evaluation import evaluate

    count = min(len(dataset.splits[options.split]), options.limit or len(dataset.splits[options.split]))
    losses, why = _losses(loaded, dataset.facts, options)
    columns = TextColumn("dialogues"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=count)
        measured = evaluate(
            loaded.system,  # type: ignore[arg-type]  # _load has checked that it is Conversational
            _batches(loaded, dataset, options, count),
            scorers(options, dataset.facts, detector),
            seed=options.seed,
            losses=losses,
            progress=lambda done: progress.update(task, completed=done),
            watch=watcher.see if watcher else None,
        )
    return measured, why


def scorers(options: Options, facts: "Facts", detector: "Loaded | None") -> list["Scorer"]:
    """What every drawn picture is measured by. The one place to add a metric."""
    from telldraw.metrics.reconstruction import reconstruction

    chosen: list[Scorer] = [reconstruction]
    if options.lpips is not None:
        from telldraw.metrics import lpips

        distance = lpips.from_folder(options.lpips).to(options.device)
        if facts.resolution < distance.plan.smallest:
            raise DataError(f"LPIPS needs pictures of at least {distance.plan.smallest} pixels a side; drop --lpips")
        chosen.append(distance.score)
    if detector is not None:
        from telldraw.metrics.detection import SceneScorer

        named: Any = detector.system
        chosen.append(SceneScorer(named, facts.axes))
    return chosen


def _batches(loaded: "Loaded", dataset: "Dataset", options: Options, count: int) -> Iterator["Dialogues"]:
    """The first `count` dialogues of the split, in its order, in the words of the weights."""
    import torch

    from telldraw.data.loader import Loader

    known, size = loaded.vocabulary, min(options.batch_size, count)
    # word numbers are the data set's; the weights may have been trained with other words
    table = torch.from_numpy(known.encode(dataset.facts.vocabulary.words)).to(options.device)
    loader = Loader(dataset, options.split, size, seed=options.seed, device=options.device, shuffle=False)
    for step in range(-(-count // size)):
        batch = loader.batch(step)
        turns = batch.turns[: count - step * size]
        rows = int(turns.sum())
        yield batch._replace(
            image=batch.image[:rows],
            instruction=table[batch.instruction[:rows]],
            objects=batch.objects[:rows],
            position=batch.position[:rows],
            turns=turns,
        )


def _losses(loaded: "Loaded", facts: "Facts", options: Options) -> tuple[Any, str]:
    """The system's `losses`, or None and why not. A weights folder draws but holds no critic; a run's state does."""
    from telldraw import systems
    from telldraw.training import checkpoint

    if not hasattr(loaded.system, "losses"):
        return None, f"{loaded.card['system']} has none to report"
    if not getattr(loaded.system.config, "iterative", True):
        return None, "this drawer was trained on whole dialogues, not on turns"
    folder = Path(options.weights)
    found = next((place for place in (folder, folder.parent) if checkpoint.states(place)), None)
    if found is None:
        return None, "a weights folder holds no critic; give the training run to have them"
    if tuple(loaded.card.get("classes", facts.classes)) != tuple(facts.classes):
        return None, "the data set has other objects than the one the weights were trained on"
    state = checkpoint.load_latest(found, device=options.device, warn=print)
    assert state is not None, found
    whole: Any = systems.load(loaded.card["system"]).System(loaded.system.config)
    # the critic of the state beside exactly the weights that draw; the state's own batch statistics may be older
    whole.load_state_dict(state["average"] | loaded.system.state_dict())
    return whole.to(options.device).eval().losses, ""


def _report(
    loaded: "Loaded", dataset: "Dataset", measured: "Measured", why: str, options: Options, argv: list[str]
) -> dict[str, Any]:
    """All that was found and how, ready for JSON. Paths are those the user gave."""
    import torch

    from telldraw.metrics.published import row_name

    gpu = torch.device(options.device).type == "cuda"
    return {
        "command": shlex.join(["telldraw", "evaluate", *argv]),
        "date": date.today().isoformat(),
        "telldraw": __version__,
        "torch": torch.__version__,
        "weights": {key: loaded.card.get(key) for key in ("system", "preset", "data", "examples")}
        | {"name": loaded.name},
        "data": {
            "name": dataset.facts.name,
            "path": str(options.data),
            "split": options.split,
            "resolution": dataset.facts.resolution,
        },
        "seed": options.seed,
        "device": torch.cuda.get_device_name(options.device) if gpu else f"CPU {platform.machine()}",
        "threads": torch.get_num_threads(),
        "dialogues": measured.dialogues,
        "turns": measured.turns,
        "turns_per_second": round(measured.turns / measured.seconds, 2),
        "batch_size": min(options.batch_size, measured.dialogues),
        "losses": measured.mean_losses(),
        "no_losses_because": why,
        "row": row_name(loaded.card["system"], vars(loaded.system.config)),
        "axes": list(dataset.facts.axes),
        "scores": {
            row: {
                turns: _with_harmonic({metric: measured.mean(row, metric, last=turns == "last") for metric in metrics})
                for turns in ("all", "last")
            }
            for row, metrics in measured.values.items()
        },
    }


def _with_harmonic(means: dict[str, float]) -> dict[str, float]:
    """The means of a row, and the F1 that is made of two of them."""
    from telldraw.metrics import AGAINST
    from telldraw.metrics.scene import harmonic_mean

    found = dict(means)
    for ending in AGAINST:
        if f"object_f1{ending}" in means:
            pair = means[f"object_precision{ending}"], means[f"object_recall{ending}"]
            found[f"object_f1_harmonic{ending}"] = harmonic_mean(*pair)
    return found
