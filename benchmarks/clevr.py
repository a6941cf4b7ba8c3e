"""How long a picture of CLEVR's stage takes in both engines, and how far they differ.

The floor is the light that must be added up: one copy of the empty stage, a value for each ray and colour, and one
pass that takes the mean of each pixel.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tyro

from telldraw.data.clevr.fast import STRATA, Renderer
from telldraw.data.clevr.mitsuba import Renderer as Reference
from telldraw.data.clevr.sequences import TURNS, sequence
from telldraw.data.clevr.stage import Solid, encode
from telldraw.errors import DataError

PUBLISHED = 10_000
SAMPLES = 1024
"""Paths a pixel of the pictures that ours are compared with: their noise must be small beside the difference."""

Scene = Sequence[Solid]


def milliseconds(work: Callable[[Scene], object], scenes: Sequence[Scene], passes: int = 2) -> float:
    """CPU time of one scene, in ms: the best of a few passes."""
    best = float("inf")
    for _ in range(passes):
        started = time.process_time()
        for scene in scenes:
            work(scene)
        best = min(best, time.process_time() - started)
    return 1000 * best / len(scenes)


def floor(resolution: int, scenes: Sequence[Scene]) -> float:
    """CPU ms of what cannot be left out."""
    empty = np.zeros((resolution**2, STRATA**2, 3), np.float32)
    return milliseconds(lambda scene: encode(empty.copy().mean(1)), scenes)


@dataclass(frozen=True)
class Options:
    """Time the drawing of CLEVR's stage."""

    sequences: int = 20
    """How many are drawn; five of their last pictures are path traced."""


def main(options: Options) -> None:
    """Print one line per resolution."""
    started = time.process_time()
    stories = [sequence(0, number) for number in range(options.sequences)]
    told = (time.process_time() - started) / options.sequences
    scenes: list[Scene] = [turn.solids for turns in stories for turn in turns]
    last = [turns[-1].solids for turns in stories]
    print(
        f"{options.sequences} sequences of {TURNS} turns; finding places and words: {1000 * told:.1f} CPU ms a sequence"
    )
    print(f"{'side':>5} {'fast':>8} {'floor':>7} {'mitsuba':>10} {'difference':>28} {'10,000 on 2 cores':>18}")
    for resolution in (64, 128):
        fast = milliseconds(Renderer(resolution).draw, scenes, 1)  # once: a second pass finds every solid known
        whole = PUBLISHED * (told + TURNS * fast / 1000) / 2 / 60
        try:
            traced = milliseconds(Reference(resolution).draw, last[:5], 1)
            exact = Reference(resolution, samples=SAMPLES)
            ours = Renderer(resolution)
            apart = np.abs(np.stack([ours.draw(s).astype(int) - exact.draw(s) for s in last[:5]]))
            differ = f"mean {apart.mean():.2f}, 99 % {np.percentile(apart, 99):.0f} of 255"
        except DataError as error:
            traced, differ = float("nan"), str(error)
        least = floor(resolution, scenes)
        print(f"{resolution:5} {fast:5.1f} ms {least:4.1f} ms {traced:7.0f} ms {differ:>28} {whole:14.0f} min")


if __name__ == "__main__":
    main(tyro.cli(Options))
