"""Detectors for `telldraw evaluate`: which one scores drawings, and how good one is on true pictures."""

import math
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telldraw import __version__
from telldraw.errors import DataError, WeightsError
from telldraw.systems import SYSTEMS
from telldraw.systems import load as load_system

if TYPE_CHECKING:
    from telldraw.batches import Facts
    from telldraw.data.archive import Dataset
    from telldraw.weights import Loaded

NONE = "none"
"""Value of --detector that asks for no detector."""


def is_detector(given: str) -> bool:
    """Whether what was named is a detector: weights of one, or a checkpoint of GeNeVA's authors."""
    from telldraw.weights import card, find

    if given.endswith(".pth"):
        return True
    return "Detector" in getattr(SYSTEMS.get(card(find(given))["system"]), "capabilities", ())


def default(facts: "Facts") -> str | None:
    """The first weights at hand of a detector of just this data set: its name, resolution and classes."""
    from telldraw.weights import at_hand, card

    wanted = facts.name, facts.resolution, list(facts.classes)
    for name, folder in at_hand().items():
        about = card(folder)
        known = about.get("data"), about.get("resolution"), about.get("classes")
        if known == wanted and "Detector" in getattr(SYSTEMS.get(about["system"]), "capabilities", ()):
            return name
    return None


def load(given: str, facts: "Facts", device: str) -> "Loaded":
    """The detector named, on its device. Raises TelldrawError when it does not fit the data."""
    from telldraw import weights
    from telldraw.protocols import Detector

    weights.check_device(device)
    if given.endswith(".pth"):
        system: Any = load_system("detector").from_published(Path(given)).to(device)
        loaded = weights.Loaded(
            Path(given).stem, system, facts.vocabulary, {"system": "detector", "preset": "inception", "published": True}
        )
    else:
        loaded = weights.load(weights.find(given), device)
        system = loaded.system
    if not isinstance(system, Detector):
        raise WeightsError(f"{given} holds {loaded.card['system']}, which names no objects; a detector is needed")
    config: Any = loaded.system.config
    classes = loaded.card.get("classes")
    if config.num_objects != len(facts.classes) or (classes is not None and classes != list(facts.classes)):
        raise DataError(f"the detector {loaded.name} knows other objects than the data set {facts.name} has")
    if config.network == "maps" and config.resolution != facts.resolution:
        raise DataError(
            f"the detector {loaded.name} looks at {config.resolution}x{config.resolution}, the data set's pictures are "
            f"{facts.resolution}x{facts.resolution}; train one on them (telldraw train detector)"
        )
    return loaded


def chosen(given: str | None, facts: "Facts", device: str) -> "Loaded | None":
    """The detector asked for, or the one at hand for this data set, if any."""
    name = default(facts) if given is None else None if given == NONE else given
    return None if name is None else load(name, facts, device)


def about(loaded: "Loaded | None", facts: "Facts") -> tuple[dict[str, Any] | None, str]:
    """For a report: what the detector is, and a sentence on what its scores can be compared with."""
    side = f"{facts.resolution}x{facts.resolution}"
    if loaded is None:
        sentence = (
            f"Scores of objects and relations need a detector of {facts.name} at {side}; train one (telldraw train "
            "detector), or name one with --detector."
        )
        return None, sentence
    config: Any = loaded.system.config
    if loaded.card.get("published"):
        sentence = (
            "The detector is the one of GeNeVA's authors, as in the published rows, which are of pictures of 128x128; "
            f"these are of {side}."
        )
    else:
        sentence = (
            "The published rows were scored by another detector, Inception-v3 at 299 pixels on pictures of 128x128, "
            f"ours by {loaded.name} on pictures of {side}: figures by different detectors are not exactly comparable."
        )
    weights = sum(weight.numel() for weight in loaded.system.parameters())
    return {"name": loaded.name, "network": config.network, "weights": weights}, sentence


# --- how good a detector is itself --------------------------------------------------------------------------------


def measured(loaded: "Loaded", dataset: "Dataset", split: str, limit: int | None, device: str) -> dict[str, Any]:
    """Measure a detector on the true pictures of a split: all turns, and relations at each dialogue's last as well."""
    import torch

    from telldraw.metrics.detection import COORDINATES, SceneScorer, measure

    facts, system = dataset.facts, loaded.system
    dialogues = dataset.splits[split][:limit]
    rows = [row for dialogue in dialogues for row in range(dialogue.start, dialogue.stop)]
    kind: Any = system
    quality = measure(
        kind, dataset.images, dataset.objects, dataset.position, rows, classes=facts.classes, device=device
    )
    relations = _relations(SceneScorer(kind, facts.axes), dataset, rows, device)
    last = torch.tensor([dialogue.stop for dialogue in dialogues]) - 1
    is_last = torch.isin(torch.tensor(rows), last)
    config: Any = system.config
    return {
        "date": date.today().isoformat(),
        "telldraw": __version__,
        "weights": {key: loaded.card.get(key) for key in ("system", "preset", "data", "examples")}
        | {"name": loaded.name, "count": sum(weight.numel() for weight in system.parameters())},
        "data": {"name": facts.name, "split": split, "resolution": facts.resolution},
        "dialogues": len(dialogues),
        "pictures": len(rows),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else f"CPU {platform.machine()}",
        "coordinates": list(COORDINATES[: config.coordinates]),
        "axes": list(facts.axes),
        **{name: value for name, value in asdict(quality).items() if name != "pictures"},
        "relations": {"all": float(relations.mean()), "last": float(relations[is_last].mean())},
    }


def _relations(scorer: Any, dataset: "Dataset", rows: Sequence[int], device: str) -> Any:
    """Relational similarity of what is found in the true pictures to the true labels, picture by picture."""
    import numpy as np
    import torch

    from telldraw import pixels

    parts = []
    for at in range(0, len(rows), 128):
        index = np.asarray(rows[at : at + 128])
        true = pixels.to_float(torch.from_numpy(dataset.images[index]).to(device))
        labels = (torch.from_numpy(array[index]).to(device) for array in (dataset.objects, dataset.position))
        parts.append(scorer(true, true, *labels)["relations_labels"].double().cpu())
    return torch.cat(parts)


def figures(report: dict[str, Any]) -> dict[str, Any]:
    """The few that go into the card of the weights."""
    names = {"f1_samples": "F1 samples", "f1_harmonic": "F1 harmonic", "distance": "position error"}
    return {report["data"]["split"]: {title: round(report[name], 4) for name, title in names.items()}}


def lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures and what they are of, in words."""
    data, weights, side = report["data"], report["weights"], report["data"]["resolution"]
    depth, relations = report["depth"], report["relations"]
    return [
        ("F1, mean of pictures", _percent(report["f1_samples"])),
        ("F1, harmonic mean of P and R", _percent(report["f1_harmonic"])),
        ("precision, mean of pictures", _percent(report["precision"])),
        ("recall, mean of pictures", _percent(report["recall"])),
        (
            "relational similarity to the labels",
            f"{_percent(relations['all'])}, last turns {_percent(relations['last'])}",
        ),
        ("relations are of", " and ".join(report["axes"])),
        ("position off by", f"{report['distance']:.4f} of the side, {report['distance'] * side:.2f} pixels"),
        ("depth off by", "not read" if depth is None else f"{depth:.3f}, where 1 is from nearest to farthest"),
        ("detector", f"{weights['name']} ({weights['count']:,} weights)"),
        ("data", f"{data['name']}, split {data['split']}, {side}x{side}"),
        ("scored", f"{report['pictures']:,} true pictures (all turns) of {report['dialogues']:,} dialogues"),
        ("date", f"{report['date']}, telldraw {report['telldraw']}, {report['device']}"),
        ("command", report["command"]),
    ]


def markdown(report: dict[str, Any]) -> str:
    """The report as a page."""
    page = [
        f"# {report['weights']['name']} on true pictures of {report['data']['name']}, {report['data']['split']}",
        "",
    ]
    page += ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in lines(report)), ""]
    page += ["F1 of each class, over all pictures, worst first:", "", "| class | F1 |", "| --- | --- |"]
    page += [f"| {name} | {_percent(value)} |" for name, value in _worst_first(report["classes"])]
    return "\n".join([*page, ""])


def show(report: dict[str, Any]) -> None:
    """Print the report."""
    for name, value in lines(report):
        print(f"{name:>36}  {value}")
    print("\nF1 of each class, over all pictures, worst first:")
    cells = [f"{name} {_percent(value)}" for name, value in _worst_first(report["classes"])]
    width = max(map(len, cells)) + 2
    columns = max(1, 100 // width)
    for at in range(0, len(cells), columns):
        print("".join(f"{cell:{width}}" for cell in cells[at : at + columns]).rstrip())


def _worst_first(classes: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(classes.items(), key=lambda item: (math.isnan(item[1]), item[1]))


def _percent(share: float) -> str:
    return "none there" if math.isnan(share) else f"{100 * share:.2f}"


def evaluate(argv: list[str], options: Any, dataset: "Dataset", out: Path) -> None:
    """Everything `telldraw evaluate DETECTOR` does."""
    from telldraw import weights
    from telldraw.commands import report as writing

    loaded = load(options.weights, dataset.facts, options.device)
    found = measured(loaded, dataset, options.split, options.limit, options.device)
    found["command"] = shlex.join(["telldraw", "evaluate", *argv])
    writing.write(found, out, markdown(found))
    writing.present(found, out, show, as_json=options.json)
    if options.into_card:
        weights.note(weights.find(options.weights), figures(found))
