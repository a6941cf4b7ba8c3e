"""What classifier rejection sampling gains and costs: accuracy against diversity, for several shares left out.

Pictures are drawn for the labels of the test split. A judge scores them; the same judge's opinion of what is kept must
rise and says little. So a second judge, where there is one, and distances in the first one's features stand beside it:
precision (are drawings like true pictures) and recall (are true pictures like drawings: diversity), Kynkäänniemi et al.
2019.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from telldraw import pixels, weights
from telldraw.commands.picture_sheets import noises
from telldraw.commands.rejection import load_judge, scores
from telldraw.commands.table import table
from telldraw.data.collection import Collection
from telldraw.metrics.distribution import frechet_distance, precision_recall, statistics
from telldraw.metrics.rejection import candidates, kept
from telldraw.protocols import Classifier


@dataclass(frozen=True)
class Options:
    """Draw, judge, keep, compare."""

    weights: Annotated[str, tyro.conf.Positional]
    """What draws."""
    data: Path
    """The prepared pictures; the test split's labels are asked for."""
    judge: str
    """A classifier or detector of the same classes."""
    second: str | None = None
    """Another one, that has no say in what is kept."""
    count: int = 1000
    """Pictures kept."""
    shares: tuple[float, ...] = (0.0, 0.5, 0.75)
    """Shares that are left out."""
    seed: int = 0


@torch.inference_mode()
def right(judge: Any, images: Tensor, label: Tensor) -> str:
    """Share of the pictures whose class is named rightly, or a detector's mean F1; and its standard error."""
    found = []
    for at in range(0, len(images), 250):
        part, asked = images[at : at + 250], label[at : at + 250]
        if isinstance(judge, Classifier):
            found.append((judge.classify(part).argmax(1) == asked.argmax(1)).float())
        else:
            seen = (judge.detect(part).probability > 0.5).float()
            found.append(2 * (seen * asked).sum(1) / (seen + asked).sum(1).clamp(min=1))
    each = torch.cat(found)
    return f"{float(each.mean()):.4f} ± {float(each.std()) / len(each) ** 0.5:.4f}"


@torch.inference_mode()
def main(options: Options) -> None:
    """Print one row for each share."""
    drawer = weights.load(weights.find(options.weights))
    judge = load_judge(options.judge, drawer, "cpu")
    second = load_judge(options.second, drawer, "cpu") if options.second else None
    collection, system = Collection.open(options.data), drawer.system
    rows = np.asarray(collection.split("test"))[: options.count]
    label = torch.from_numpy(collection.labels[rows]).float()
    true = pixels.to_float(torch.from_numpy(collection.images[rows]))

    slot = candidates(label, len(rows), max(options.shares))
    noise = noises(options.seed, len(slot), system.noise_dim)  # type: ignore[union-attr]
    asked = label[slot]
    draw: Any = system.generate
    drawn = torch.cat([draw(noise[at : at + 100], asked[at : at + 100]) for at in range(0, len(slot), 100)])
    sure = scores(judge, drawn, asked, "cpu")

    def features(images: Tensor) -> Tensor:
        look: Any = judge.system.features
        return torch.cat([look(part) for part in images.split(250)])

    real = features(true)
    found = []
    for share in options.shares:
        few = candidates(label, len(rows), share)
        among = prefix(slot, few, len(rows), label)
        images = drawn[among[kept(sure[among], slot[among], label, len(rows))]]
        mine = features(images)
        spread = precision_recall(real, mine)
        other = "" if second is None else right(second.system, images, label)
        distance = frechet_distance(statistics(real), statistics(mine))
        figures = (f"{figure:.4f}" for figure in (spread.precision, spread.recall, distance))
        found.append((f"{share:.2f}", str(len(among)), other, right(judge.system, images, label), *figures))
    own = (right(each, true, label) if each else "" for each in (second and second.system, judge.system))
    found.append(("true", str(len(true)), *own, "", "", ""))
    print(table(("left out", "drawn", "second judge", "judge", "precision", "recall", "Fréchet"), found))


def prefix(slot: Tensor, few: Tensor, count: int, label: Tensor) -> Tensor:
    """Which of the drawings for `slot` those for `few`, fewer of each label, are: the first ones of each label."""
    groups = label.unique(dim=0, return_inverse=True)[1]
    chosen = []
    for group in groups.unique():
        chosen.append((groups[slot] == group).nonzero()[:, 0][: int((groups[few] == group).sum())])
    return torch.cat(chosen)


if __name__ == "__main__":
    main(tyro.cli(Options))
