"""How long a CLEVR bird takes to think of, to tell and to draw, and how far the two engines differ on a few."""

import time
from dataclasses import dataclass

import numpy as np
import tyro

from telldraw.data.clevr.birds import scene, streams
from telldraw.data.clevr.captions import captions
from telldraw.data.clevr_birds import CAPTIONS, Plan
from telldraw.errors import DataError


@dataclass(frozen=True)
class Options:
    """Time the rendering of CLEVR birds."""

    pictures: int = 40
    """How many are drawn."""
    traced: int = 6
    """How many are path traced too."""
    samples: int = 512
    """Paths a pixel of those."""


def main(options: Options) -> None:
    """Print CPU times and differences."""
    started = time.process_time()
    scenes = [scene(0, "train", number) for number in range(options.pictures)]
    placed = time.process_time() - started
    for number, shown in enumerate(scenes):
        captions(streams(0, "train", number)[3], shown, CAPTIONS)
    told = time.process_time() - started - placed
    print(f"CPU ms a picture: scene {1000 * placed / len(scenes):.1f}, captions {1000 * told / len(scenes):.1f}")
    for resolution in (64, 128):
        painter = Plan(1, 0, 0, resolution).painter()
        started = time.process_time()
        drawn = [painter.draw(shown) for shown in scenes]
        print(f"{resolution}: fast {1000 * (time.process_time() - started) / len(scenes):.1f}")
        if resolution == 64:
            try:
                exact = Plan(1, 0, 0, resolution, engine="mitsuba", samples=options.samples).painter()
            except DataError as error:
                print(error)
                continue
            few = zip(drawn[: options.traced], scenes, strict=False)
            apart = np.stack([np.abs(one.astype(int) - exact.draw(shown)) for one, shown in few])
            means = apart.mean((1, 2, 3))
            print(
                f"{resolution}: fast against mitsuba, {len(apart)} pictures: mean {apart.mean():.2f}, worst picture "
                f"{means.max():.2f}, 99 % of values under {np.percentile(apart, 99):.0f} of 255"
            )


if __name__ == "__main__":
    main(tyro.cli(Options))
