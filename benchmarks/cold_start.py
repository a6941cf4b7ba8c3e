"""From nothing to the first picture: a process is started, draws one turn and writes it."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from _floor import build, machine, operations, say, seconds
from telldraw import weights


@dataclass(frozen=True)
class Options:
    """Time `telldraw draw`, in a process of its own each time."""

    system: str = "geneva"
    preset: str = "codraw-64"
    repeats: int = 5


def main(options: Options) -> None:
    """Print what Python and torch take by themselves, and what the first picture takes."""
    here = machine()
    print(here)
    system, known = build(options.system, options.preset)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "weights"
        card = {"system": options.system, "name": "benchmark", "resolution": known.resolution}
        weights.save(folder, system, known.vocabulary, card, dtype="bfloat16")
        size = sum(path.stat().st_size for path in folder.iterdir())

        def process(*words: str) -> None:
            subprocess.run([sys.executable, *words], check=True, capture_output=True)

        def draw() -> None:
            out = str(Path(name) / "picture.png")
            process("-m", "telldraw.cli", "draw", "a tree on the left", "--weights", str(folder), "--out", out)

        with torch.inference_mode():
            instruction, noise = torch.tensor([[2, 3, 4]]), torch.randn(1, system.noise_dim)
            turn = operations(lambda: system.eval().turn(system.start(), instruction, noise))
        python = min(seconds(lambda: process("-c", ""), options.repeats))
        imports = min(seconds(lambda: process("-c", "import numpy, PIL.Image, torch"), options.repeats))
        least = here.floor(turn, size)
        print(f"python alone {1e3 * python:.0f} ms, with numpy, Pillow and torch imported {1e3 * imports:.0f} ms,")
        print(f"{size / 1e6:.0f} MB of weights and {turn / 1e9:.2f} GFLOP of drawing {1e3 * least:.0f} ms at least")
        say("  to the first picture", seconds(draw, options.repeats), imports + least)


if __name__ == "__main__":
    main(tyro.cli(Options))
