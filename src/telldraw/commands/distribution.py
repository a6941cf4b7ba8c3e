"""What commands share that measure sets of pictures: whose features, from where, and the figures as a table."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telldraw.commands.table import table
from telldraw.errors import WeightsError
from telldraw.metrics import METRICS, ROWS

if TYPE_CHECKING:
    from torch import Tensor

    from telldraw.metrics.cache import Cache
    from telldraw.metrics.features import Extractor, FeatureSet, Pictures, Settings
    from telldraw.weights import Loaded


def extractor(
    inception: Path | None, detector: str | None, device: str, *, otherwise: str = "--detector WEIGHTS"
) -> "Extractor":
    """Inception with the weights of a path or of torch's cache, or a detector if its weights are named.

    Raises WeightsError saying which file is needed, from where, and which flag (`otherwise`) does without it.
    """
    if detector is not None:
        return _detector(detector, device)
    from telldraw.metrics import inception as network

    try:
        return network.load(inception, device)
    except WeightsError as error:
        raise WeightsError(
            f"{error}; name the file with --inception, or use {otherwise} for a Fréchet distance in the features of a "
            "telldraw detector, which is not the FID"
        ) from None


def _detector(given: str, device: str) -> "Extractor":
    from telldraw import weights

    return detector_features(weights.load(weights.find(given), device))


def detector_features(loaded: "Loaded") -> "Extractor":
    """A detector that is loaded, as an extractor. Raises WeightsError when it gives no features."""
    import hashlib

    from telldraw.metrics.features import of_detector

    checksum = hashlib.sha256()
    for name, tensor in sorted(loaded.system.state_dict().items()):
        checksum.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return of_detector(loaded.system, loaded.name, checksum.hexdigest())


def watching(kind: str, inception: Path | None, detector: "Loaded | None", device: str) -> "Watcher | None":
    """What `telldraw evaluate` gives to its drawer: none, or in the features of `inception`, or of the `detector`.

    Raises WeightsError when the weights for that are missing.
    """
    if kind == "none":
        return None
    if kind == "detector":
        if detector is None:
            raise WeightsError("--distribution detector needs a detector of this data set; name one with --detector")
        eyes = detector_features(detector)
    else:
        eyes = extractor(inception, None, device, otherwise="--distribution detector")
    return Watcher(eyes, cache(None, keep=True), device=device)


def cache(folder: Path | None, *, keep: bool) -> "Cache":
    """Where features are kept: the folder that was named, or the usual one, or nowhere."""
    from telldraw.metrics.cache import Cache, default_folder

    return Cache((folder or default_folder()) if keep else None, warn)


def measured(
    eyes: "Extractor", real: "FeatureSet", drawn: "FeatureSet", kept: "Cache", settings: "Settings"
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """The figures, and what to be warned of."""
    from telldraw.metrics.features import FewPictures, figures

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", FewPictures)
        found = figures(eyes, real, drawn, kept, settings)
    return found, [str(entry.message) for entry in caught]


class Watcher:
    """The distribution of what a drawer draws in `metrics.evaluation.evaluate`, against the true pictures.

    Give `see` to it as `watch`; afterwards `report` has the figures of each row. The features of the true pictures are
    kept on disk, so they are computed once for a data set.
    """

    def __init__(
        self, eyes: "Extractor", kept: "Cache", *, device: str = "cpu", rows: Sequence[str] = tuple(ROWS)[:1]
    ) -> None:
        """`rows` are those that are looked at; a network like Inception takes its time for each."""
        from telldraw.metrics.features import Collector

        self.eyes, self.kept, self.device = eyes, kept, device
        self.collectors = {row: Collector(eyes, device) for row in rows}

    def see(self, row: str, pictures: "Tensor") -> None:
        """Take in pictures [N, 3, H, W] in [-1, 1] of a row."""
        if row in self.collectors:
            self.collectors[row].add(pictures)

    def report(self, true: "Pictures", *, seed: int = 0, batch_size: int = 32) -> dict[str, Any]:
        """Figures by row, against the true pictures (`data.pictures.of_split`), ready for JSON."""
        from telldraw.metrics.features import FeatureSet, Settings, extract

        real = extract(self.eyes, true, self.kept, device=self.device, batch_size=batch_size)
        found: dict[str, Any] = {"figures": {}, "warnings": []}
        for row, collector in self.collectors.items():
            drawn = FeatureSet(collector.features())
            settings = Settings(seed=seed).fitted(len(true), len(drawn.features))
            found["figures"][row], warned = measured(self.eyes, real, drawn, self.kept, settings)
            found["features"] = about(self.eyes, real, settings)
            found["warnings"] = sorted({*found["warnings"], *warned})
        return found


def about(eyes: "Extractor", real: "FeatureSet", settings: "Settings") -> dict[str, Any]:
    """Whose features, and what was done with them, ready for JSON."""
    facts = {"extractor": eyes.name, "weights": eyes.checksum, "numbers": real.features.shape[1]}
    return facts | asdict(settings)


def warn(sentence: str) -> None:
    """Say it beside the figures, not among them."""
    print(f"telldraw: {sentence}", file=sys.stderr)


def rows(figures: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Figures for people: name with the better direction, value, meaning."""
    found = []
    for name, figure in figures.items():
        entry = METRICS[name]
        spread = f" ± {figure['std']:.4g}" if "std" in figure else ""
        unit = f" {entry.unit}" if entry.unit else ""
        value = f"{figure['value']:.4g}{spread}{unit}"
        found.append((f"{name} {'↑' if entry.higher_is_better else '↓'}", value, entry.summary))
    return found


def page(found: dict[str, Any]) -> list[str]:
    """What a `Watcher` reports, as lines of a page."""
    lines = [f"Of all pictures together, in the features of {found['features']['extractor']}:", ""]
    for row, figures in found["figures"].items():
        lines += [f"| {row} | | |", "| --- | --- | --- |", *(f"| {' | '.join(cells)} |" for cells in rows(figures)), ""]
    return lines + [f"*{sentence}*" for sentence in found["warnings"]]


def show(found: dict[str, Any]) -> None:
    """Print it."""
    for row, figures in found["figures"].items():
        print(f"all pictures together, {row}, in the features of {found['features']['extractor']}")
        print(table(("figure", "value", "what it is"), rows(figures)))
    for sentence in found["warnings"]:
        warn(sentence)
