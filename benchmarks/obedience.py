"""What the figures of `telldraw.commands.obedience` are for true pictures, by chance, and for what is made wrong.

The pictures of a split stand in for drawings: with their own captions (the ceiling), and with captions in which the
colours of the two solids are exchanged, which a judge of single attributes cannot tell from the right ones.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor

from telldraw import pixels, weights
from telldraw.commands.obedience import measured
from telldraw.data.clevr.stage import COLOURS
from telldraw.data.collection import Collection
from telldraw.metrics.distribution import frechet_distance, statistics


@dataclass(frozen=True)
class Options:
    """Judge true pictures of CLEVR birds."""

    data: Path
    """A prepared set, any labels (`telldraw prepare clevr-birds`)."""
    judge: str = "classifier-birds-64"
    """Weights of a classifier of the 48 kinds."""
    split: str = "test"
    """Whose pictures and captions."""
    seed: int = 0
    """Which of a picture's captions is taken, and the halves of the split."""


def pictures(birds: Collection, rows: np.ndarray) -> Tensor:
    """Pictures of these rows, [N, 3, H, W] in [-1, 1]."""
    return pixels.to_float(torch.from_numpy(birds.images[rows]))


def exchanged(caption: str) -> str:
    """A caption with the colours of its two solids exchanged; a caption of one is left as it is."""
    there = re.findall("|".join(COLOURS), caption)
    return re.sub("|".join(COLOURS), lambda _: there.pop(), caption)


def main(options: Options) -> None:
    """Print the figures."""
    birds, judge = Collection.open(options.data), weights.load(weights.find(options.judge))
    system: Any = judge.system
    rng = np.random.default_rng(options.seed)
    rows = np.asarray(birds.split(options.split))
    said = [birds.captions(row)[rng.integers(len(birds.captions(row)))] for row in rows]
    true, train = pictures(birds, rows), pictures(birds, np.asarray(birds.split("train"))[: len(rows)])
    print(f"{birds.path}, {options.split}, a caption each of {len(rows):,} true pictures, by {judge.name}:")
    for name, (value, what, error) in measured(judge, true, said).items():
        print(f"{name:24} {value:.4f} {'' if error is None else f'± {error:.4f}':9} {what}")
    two = [row for row, caption in enumerate(said) if exchanged(caption) != caption]
    print(f"colours of two solids exchanged in {len(two):,} captions:")
    for name, (value, _, error) in measured(judge, true[two], [exchanged(said[row]) for row in two]).items():
        if error is not None:
            print(f"{name:24} {value:.4f} ± {error:.4f}")
    with torch.inference_mode():
        features, other = (torch.cat([system.features(x) for x in part.split(500)]) for part in (true, train))
    halves = features[torch.from_numpy(rng.permutation(len(rows)))].chunk(2)
    for name, one, two_of in (("training pictures, to those of the split", other, features), ("halves of it", *halves)):
        distance = frechet_distance(statistics(one), statistics(two_of))
        print(f"Fréchet distance, {name} ({len(one):,}, {len(two_of):,}): {distance:.4f}")


if __name__ == "__main__":
    main(tyro.cli(Options))
