"""Pictures -> features -> statistics -> figures, each stage kept in `metrics.cache`, and what figures may be called.

Only features of the network in `metrics.inception` give an FID, a KID and an Inception Score. The same equations on
features of a telldraw detector give figures with `detector` in their names.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from telldraw import pixels
from telldraw.errors import DataError, WeightsError
from telldraw.metrics import distribution
from telldraw.metrics.cache import Arrays, Cache

VERSION = 1
"""Of the way from pictures to figures: with a new one nothing that was kept before is taken."""
NAMES = {
    "inception": {"frechet": "fid", "kernel": "kid", "precision": "precision", "recall": "recall"},
    "detector": {name: f"{name}_detector" for name in ("frechet", "kernel", "precision", "recall")},
}
"""Kind of the features -> what the figures are called. Never is an FID what is not in Inception's features."""


class FewPictures(UserWarning):
    """There are too few pictures for a figure to be compared with another."""


class Extractor(Protocol):
    """A frozen network whose features stand for pictures."""

    @property
    def name(self) -> str:
        """For the report."""
        ...

    @property
    def checksum(self) -> str:
        """Of its weights: other weights are other features."""
        ...

    @property
    def smallest(self) -> int:
        """Side of the smallest picture it takes, in pixels."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W] in [-1, 1] -> [N, D]."""
        ...


@runtime_checkable
class Seeing(Protocol):
    """A system that gives features: a detector."""

    def features(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W] in [-1, 1] -> [N, D]."""
        ...


class Pictures(Protocol):
    """A set of pictures that can be read again and again, in the same order."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def split(self) -> str:
        """Of the data set; empty where there are none."""
        ...

    @property
    def checksum(self) -> str:
        """Of the data: other data are other features."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """uint8 [B, 3, H, W], in order."""
        ...


@dataclass(frozen=True)
class Detector:
    """The features of a telldraw detector, under their own name."""

    system: Seeing
    name: str
    checksum: str
    smallest: int = 1

    def features(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W] in [-1, 1] -> [N, D]."""
        return self.system.features(images)


def of_detector(system: Any, name: str, checksum: str) -> Detector:
    """A loaded system as an extractor. Raises WeightsError when it gives no features."""
    if not isinstance(system, Seeing):
        raise WeightsError(f"{name} gives no features of pictures; name the weights of a detector")
    if isinstance(system, nn.Module):
        system.eval()
    return Detector(system, f"detector {name}", checksum)


def kind(extractor: Extractor) -> str:
    """A row of NAMES. What classifies into Inception's classes is Inception; all else is a detector."""
    from telldraw.metrics.inception import Inception

    return "inception" if isinstance(extractor, Inception) else "detector"


@dataclass
class Collector:
    """Features of pictures that come batch by batch, as they are drawn."""

    extractor: Extractor
    device: str = "cpu"
    parts: list[np.ndarray] = field(default_factory=list)

    @torch.no_grad()
    def add(self, images: Tensor) -> None:
        """Take in images [B, 3, H, W] in [-1, 1]. Raises WeightsError when their features are not numbers."""
        found = self.extractor.features(images.to(self.device))
        if found.dim() != 2 or len(found) != len(images) or not bool(found.isfinite().all()):
            raise WeightsError(f"{self.extractor.name} gave no row of finite features for each picture")
        self.parts.append(found.float().cpu().numpy())

    def features(self) -> np.ndarray:
        """All of them, float32 [N, D]."""
        return np.concatenate(self.parts)


@dataclass(frozen=True)
class FeatureSet:
    """Features of one set of pictures, float32 [N, D], and what they were computed from (empty: not to be kept)."""

    features: np.ndarray
    key: Mapping[str, str | int | float] = field(default_factory=dict)


def extract(
    extractor: Extractor,
    pictures: Pictures,
    cache: Cache,
    *,
    device: str = "cpu",
    batch_size: int = 32,
    progress: Callable[[int], None] = lambda done: None,
) -> FeatureSet:
    """The features of a set, kept by extractor, weights, data, split and resolution. `progress` is told how many.

    Raises DataError when the pictures are too small for the extractor.
    """
    if min(pictures.size) < extractor.smallest:
        raise DataError(
            f"{extractor.name} needs pictures of at least {extractor.smallest} pixels a side; those of "
            f"{pictures.name} have {min(pictures.size)}"
        )
    key = {
        **{"version": VERSION, "extractor": extractor.name, "weights": extractor.checksum},
        **{"data": pictures.checksum, "split": pictures.split, "pictures": len(pictures)},
        "resolution": "x".join(map(str, pictures.size)),
    }

    def compute() -> Arrays:
        collector, done = Collector(extractor, device), 0
        for batch in pictures.batches(batch_size):
            collector.add(pixels.to_float(torch.from_numpy(batch)))
            done += len(batch)
            progress(done)
        return {"features": collector.features()}

    features = cache.get("features", key, compute)["features"]
    progress(len(pictures))
    return FeatureSet(features, key)


@dataclass(frozen=True)
class Settings:
    """How the figures are computed; the values of the papers."""

    subsets: int = 100
    """Of the kernel distance."""
    subset_size: int = 1000
    """Pictures in each of them, or as many as there are."""
    splits: int = 10
    """Parts of the Inception Score."""
    neighbours: int = 3
    """Which neighbour sets the radius of precision and recall."""
    seed: int = 0
    """Of subsets and of the order of the Inception Score."""

    def fitted(self, real: int, drawn: int) -> "Settings":
        """These settings for so many pictures. Raises DataError when there are too few for any."""
        if min(real, drawn) <= self.neighbours:
            raise DataError(
                f"there are {real:,} real and {drawn:,} drawn pictures; at least {self.neighbours + 1} of each are "
                "needed, and 2,048 for figures to be compared with others"
            )
        size, splits = min(self.subset_size, real, drawn), min(self.splits, drawn)
        subsets = 1 if size == real == drawn else self.subsets  # every subset would be the whole
        return Settings(subsets, size, splits, self.neighbours, self.seed)


def figures(
    extractor: Extractor, real: FeatureSet, drawn: FeatureSet, cache: Cache, settings: Settings | None = None
) -> dict[str, dict[str, float]]:
    """Every figure of two sets of pictures: name -> value and, for means over parts, std.

    Warns (FewPictures) when a set has fewer than 2,048 pictures. Raises DataError when one has hardly any.
    """
    count = len(real.features), len(drawn.features)
    settings = (settings or Settings()).fitted(*count)
    if sentence := distribution.few(min(count)):
        warnings.warn(sentence, FewPictures, stacklevel=2)
    key = {}
    if real.key and drawn.key:
        key = {f"real {name}": value for name, value in real.key.items()} | asdict(settings)
        key |= {f"drawn {name}": value for name, value in drawn.key.items()}

    def compute() -> Arrays:
        x, y = torch.from_numpy(real.features), torch.from_numpy(drawn.features)
        found = {"frechet": distribution.frechet_distance(_statistics(real, cache), _statistics(drawn, cache))}
        spread = distribution.kernel_distance(
            x, y, subsets=settings.subsets, subset_size=settings.subset_size, seed=settings.seed
        )
        found |= {"kernel": spread.mean, "kernel std": spread.std}
        found |= distribution.precision_recall(x, y, neighbours=settings.neighbours)._asdict()
        return {name: np.array(value) for name, value in found.items()}

    found = {name: float(value) for name, value in cache.get("figures", key, compute).items()}
    names = NAMES[kind(extractor)]
    named = {names[name]: {"value": found[name]} for name in names}
    named[names["kernel"]]["std"] = found["kernel std"]
    if kind(extractor) == "inception":
        named["inception_score"] = _inception_score(extractor, drawn, settings)
    return named


def _statistics(which: FeatureSet, cache: Cache) -> distribution.Statistics:
    def compute() -> Arrays:
        found = distribution.statistics(torch.from_numpy(which.features))
        return {"mean": found.mean.numpy(), "covariance": found.covariance.numpy(), "n": np.array(found.n)}

    kept = cache.get("statistics", which.key, compute)
    mean, covariance = torch.from_numpy(kept["mean"]), torch.from_numpy(kept["covariance"])
    return distribution.Statistics(mean, covariance, int(kept["n"]))


def _inception_score(extractor: Any, drawn: FeatureSet, settings: Settings) -> dict[str, float]:
    device = next(extractor.parameters()).device
    logits = extractor.logits(torch.from_numpy(drawn.features).to(device))
    score = distribution.inception_score(logits.cpu(), splits=settings.splits, seed=settings.seed)
    return {"value": score.mean, "std": score.std}
