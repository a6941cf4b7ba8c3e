"""How long a picture of CoDraw takes, the plain way and the fast way, and how far they differ.

The floor is the pixels that must be touched: one copy of the empty work canvas, and one pass to reduce it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from telldraw.data import codraw
from telldraw.data.clipart import Renderer, Scene, draw_plainly

SCENES, TURNS = 600, 42_508


def milliseconds(work: Callable[[Scene], object], scenes: list[Scene]) -> float:
    """CPU time of one scene, in ms: the best of three passes."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for scene in scenes:
            work(scene)
        best = min(best, time.process_time() - started)
    return 1000 * best / len(scenes)


@dataclass(frozen=True)
class Options:
    """Time the drawing of CoDraw's scenes."""

    source: tyro.conf.Positional[Path] = Path(os.environ.get("TELLDRAW_DATA", "../shared/data")) / "codraw"
    """The owner's files, as for `telldraw prepare codraw --from`."""


def main(options: Options) -> None:
    """Print one line per resolution."""
    folder = options.source
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not there: give CoDraw's folder, or set TELLDRAW_DATA")
    scenes = [turn.scene for one in codraw.read(folder, limit=200) for turn in one.turns][:SCENES]
    pictures = folder / "Pngs"
    plain = milliseconds(lambda scene: draw_plainly(pictures, scene), scenes[:40])
    print(f"{len(scenes)} scenes, {np.mean([len(scene) for scene in scenes]):.1f} objects each; CPU ms a picture")
    print(f"{'side':>5} {'plain':>7} {'fast':>7} {'floor':>7} {'difference':>11} {'all, 2 cores':>13}")
    for resolution in (64, 128, 256):
        size = (resolution, resolution)
        renderer = Renderer(pictures, resolution)
        for scene in scenes:
            renderer.draw(scene)  # fills the store of squashed sprites
        fast = milliseconds(renderer.draw, scenes)
        work = Image.new("RGB", (resolution * renderer.block,) * 2)  # type: ignore[arg-type]
        floor = milliseconds(lambda scene, work=work, by=renderer.block: work.copy().reduce(by), scenes)
        reduce = milliseconds(lambda scene, size=size: Image.new("RGB", (500, 400)).resize(size, 5), scenes[:100])
        differences = [
            np.abs(
                np.asarray(draw_plainly(pictures, s).resize(size, Image.Resampling.BOX)) - renderer.draw(s).astype(int)
            )
            for s in scenes[:100]
        ]
        whole, differ = fast * TURNS / 2 / 1000, float(np.mean(differences))
        print(f"{resolution:5} {plain + reduce:7.2f} {fast:7.2f} {floor:7.2f} {differ:7.2f}/255 {whole:11.0f} s")


if __name__ == "__main__":
    main(tyro.cli(Options))
