"""Time of one generated picture, for any number of weights in one run: alone, and many at once.

python benchmarks/generating.py pixelcnn-mnist-binary vae-mnist-binary dcgan-mnist-32
"""

import statistics
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
import tyro

from _floor import Counter, machine, seconds
from telldraw import weights
from telldraw.commands.picture_sheets import noises, one_hot
from telldraw.commands.table import table


@dataclass(frozen=True)
class Options:
    """Time `generate`, the weights taking turns."""

    weights: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Names, folders or runs."""
    together: int = 64
    """Pictures at once in the second column."""
    repeats: int = 5
    """Times are medians of so many."""


@torch.inference_mode()
def main(options: Options) -> None:
    """Print one row for each."""
    here = machine()
    print(here)
    loaded = [weights.load(weights.find(name)) for name in options.weights]
    works: list[dict[int, Any]] = []
    for each in loaded:
        system: Any = each.system
        works.append({})
        for count in (1, options.together):
            label = (
                one_hot([n % system.label_dim for n in range(count)], system.label_dim) if system.label_dim else None
            )
            works[-1][count] = partial(system.generate, noises(0, count, system.noise_dim), label)
    times: dict[tuple[int, int], list[float]] = {}
    for _ in range(options.repeats):
        for number, work in enumerate(works):
            for count, draw in work.items():
                times.setdefault((number, count), []).extend(seconds(draw, 1))
    rows = []
    for number, each in enumerate(loaded):
        with Counter() as counter:
            works[number][1]()
        alone, many = (statistics.median(times[number, count]) / count for count in (1, options.together))
        floor = counter.total / here.operations
        size = "x".join(map(str, works[number][1]().shape[1:]))
        cells = (
            f"{1e3 * alone:.2f} ms",
            f"{1e3 * many:.3f} ms",
            f"{counter.total / 1e6:,.1f} M",
            f"{1e3 * floor:.3f} ms",
        )
        rows.append((each.name, size, *cells))
    heads = "weights", "picture", "alone", f"of {options.together} at once", "operations", "floor"
    print(table(heads, rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
