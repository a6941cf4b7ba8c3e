"""Which level of a VQ-VAE-2 says what, and where its prior goes wrong: drawings with parts of the truth.

    python benchmarks/levels.py vqvae-mnist-28 runs/other --data mnist-28.telldraw --judge classifier-mnist-28

Test pictures are encoded, some of their codes replaced, and what comes out is judged: how often it shows the label that
the prior was told. Between two levels, of single classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from telldraw import pixels, weights
from telldraw.commands.rejection import load_judge
from telldraw.commands.table import table
from telldraw.data.collection import Collection


@dataclass(frozen=True)
class Options:
    """Encode, replace, decode, judge."""

    weights: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Weights of vqvae with a prior, of two levels and one class a picture."""
    data: Path
    """The prepared pictures; the first ones of the test split are taken."""
    judge: str
    """A classifier of the same classes."""
    count: int = 1000
    """Pictures."""
    seed: int = 0


def drawn(system: Any, images: Tensor, label: Tensor, seed: int) -> dict[str, Tensor]:
    """Pictures [N, C, H, W] by what was the truth in them."""
    codes, rng = system.autoencoder, torch.Generator().manual_seed(seed)
    vector = system._vector(label, len(label), images.device)
    fine, coarse = (torch.rand(len(images), side, side, generator=rng).double() for side in system.config.sides())
    encoded = codes(images)

    def by_prior(told: Tensor) -> Tensor:
        found = system.prior[0].net.sample(fine, vector, system.prior[0].told(told))
        return codes.decode(codes.told_by(0, found, told))

    def alone(told: Tensor) -> Tensor:
        enlarged = codes.larger[1](told)
        return codes.decode(torch.cat([torch.zeros_like(encoded.quantised[0].entries), enlarged], 1))

    planned = codes.told_by(1, system.prior[1].net.sample(coarse, vector, None), None)
    return {
        "true codes of both levels": codes.decode(encoded.context[0]),
        "true coarse codes alone": alone(encoded.context[1]),
        "true coarse codes, fine ones by the prior": by_prior(encoded.context[1]),
        "coarse codes by the prior, alone": alone(planned),
        "both by the prior": by_prior(planned),
    }


@torch.inference_mode()
def main(options: Options) -> None:
    """Print a row for each kind of drawing, a column for each of the weights."""
    collection = Collection.open(options.data)
    rows = np.asarray(collection.split("test"))[: options.count]
    images = pixels.to_float(torch.from_numpy(collection.images[rows]))
    label = torch.from_numpy(collection.labels[rows]).float()
    columns = []
    for name in options.weights:
        loaded = weights.load(weights.find(name))
        judge: Any = load_judge(options.judge, loaded, "cpu").system
        right = {}
        for kind, pictures in drawn(loaded.system, images, label, options.seed).items():
            seen = judge.classify(pictures.float().clamp(-1, 1)).argmax(1)
            share = float((seen == label.argmax(1)).float().mean())
            right[kind] = f"{100 * share:.1f} ± {100 * (share * (1 - share) / len(rows)) ** 0.5:.1f} %"
        columns.append(right)
    lines = [[kind, *(column[kind] for column in columns)] for kind in columns[0]]
    print(table(["seen as told in", *options.weights], lines))


if __name__ == "__main__":
    main(tyro.cli(Options))
