"""One judge for several families of generators: is the digit asked for seen, and how far are drawings from true ones.

    python benchmarks/families.py runs/pixelcnn-mnist-binary runs/vae-mnist-binary runs/dcgan-mnist --data X.telldraw

Pictures of another size than the judge's are cut to it in the middle, or given a border of their corner's colour. The
last rows are true training digits, grey and made black and white: what a perfect generator of such pictures would get.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import Tensor
from torch.nn import functional as F

from telldraw import pixels, weights
from telldraw.commands.picture_sheets import noises, one_hot
from telldraw.commands.table import table
from telldraw.data.collection import Collection
from telldraw.metrics.distribution import Statistics, frechet_distance, precision_recall, statistics


@dataclass(frozen=True)
class Options:
    """Draw, judge, compare with the test split."""

    weights: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Names, folders or runs."""
    data: Path
    """The prepared digits."""
    judge: str = "classifier-mnist-28"
    """Whose opinion and features count."""
    samples: int = 2000
    """Pictures drawn by each, and true ones they are compared with."""
    seed: int = 0


def fitted(images: Tensor, side: int) -> Tensor:
    """[N, C, H, H] -> [N, 1, side, side], cut or given a border on all sides alike."""
    border = (side - images.shape[-1]) // 2
    images = images.mean(1, keepdim=True)
    return F.pad(images, (border, side - images.shape[-1] - border) * 2, value=float(images[0, 0, 0, 0]))


@torch.inference_mode()
def seen(judge: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features [N, D] and the class [N] that the judge sees."""
    parts = images.split(500)
    return torch.cat([judge.features(part) for part in parts]), torch.cat([judge.classify(p).argmax(1) for p in parts])


@torch.inference_mode()
def drawn(system: Any, options: Options) -> tuple[Tensor, Tensor | None]:
    """Pictures, and what was asked for: each class in turn."""
    asked = torch.arange(options.samples) % system.label_dim if system.label_dim else None
    parts = []
    for start in range(0, options.samples, 100):
        noise = noises(options.seed, min(start + 100, options.samples), system.noise_dim)[start:]
        label = None if asked is None else one_hot(asked[start : start + 100].tolist(), system.label_dim)
        parts.append(system.generate(noise, label))
    return torch.cat(parts), asked


def figures(features: Tensor, real: Tensor, fit: Statistics) -> tuple[str, ...]:
    """Fréchet distance, precision, recall."""
    spread = precision_recall(real, features)
    distance = frechet_distance(fit, statistics(features))
    return f"{distance:.3f}", f"{spread.precision:.3f}", f"{spread.recall:.3f}"


def main(options: Options) -> None:
    """Print one row for each generator, and the rows of true digits."""
    collection = Collection.open(options.data)
    judge: Any = weights.load(weights.find(options.judge)).system

    def true(split: str) -> tuple[Tensor, Tensor]:
        rows = collection.split(split)[: options.samples]
        label = torch.from_numpy(collection.labels[rows.start : rows.stop]).argmax(1)
        return pixels.to_float(torch.from_numpy(collection.images[rows.start : rows.stop])), label

    real, _ = seen(judge, true("test")[0])
    fit, rows = statistics(real), []
    for name in options.weights:
        loaded = weights.load(weights.find(name))
        images, asked = drawn(loaded.system, options)
        features, shown = seen(judge, fitted(images, collection.resolution))
        right = "" if asked is None else f"{float((shown == asked).float().mean()):.4f}"
        rows.append((loaded.name, right, *figures(features, real, fit)))
        print(f"{loaded.name}: done", flush=True)
    image, label = true("train")
    for name, known in (("true, grey", image), ("true, black and white", 2 * (image > 0).float() - 1)):
        features, shown = seen(judge, known)
        rows.append((name, f"{float((shown == label).float().mean()):.4f}", *figures(features, real, fit)))
    print(table(("drawn by", "as asked", "Fréchet", "precision", "recall"), rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
