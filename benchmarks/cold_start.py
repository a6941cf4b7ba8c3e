"""From nothing to the first picture: a process is started, draws one turn and writes it; by either engine."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from _floor import build, machine, operations, say, seconds
from telldraw import weights
from telldraw.drawing import export


@dataclass(frozen=True)
class Options:
    """Time `telldraw draw`, in a process of its own each time."""

    system: str = "geneva"
    preset: str = "codraw-64"
    repeats: int = 5


IMPORTS = {"onnx": "import numpy, PIL.Image, onnxruntime", "torch": "import numpy, PIL.Image, torch"}


def main(options: Options) -> None:
    """Print what Python and each engine's library take by themselves, and what the first picture takes."""
    here = machine()
    print(here)
    system, known = build(options.system, options.preset)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "weights"
        card = {"system": options.system, "name": "benchmark", "resolution": known.resolution}
        weights.save(folder, system, known.vocabulary, card, dtype="bfloat16")
        size = sum(path.stat().st_size for path in folder.iterdir())
        export.write(weights.load(folder), folder, "float16")

        def process(*words: str) -> None:
            subprocess.run([sys.executable, *words], check=True, capture_output=True)

        def draw(engine: str) -> None:
            out = str(Path(name) / "picture.png")
            words = ("a tree on the left", "--weights", str(folder), "--out", out, "--engine", engine)
            process("-m", "telldraw.cli", "draw", *words)

        with torch.inference_mode():
            instruction, noise = torch.tensor([[2, 3, 4]]), torch.randn(1, system.noise_dim)
            turn = operations(lambda: system.eval().turn(system.start(), instruction, noise))
        least = here.floor(turn, size)
        python = min(seconds(lambda: process("-c", ""), options.repeats))
        print(
            f"python alone {1e3 * python:.0f} ms; {size / 1e6:.0f} MB of weights and {turn / 1e9:.2f} GFLOP of drawing"
        )
        for engine, code in IMPORTS.items():
            imports = min(seconds(lambda code=code: process("-c", code), options.repeats))
            print(f"  python -c '{code}': {1e3 * imports:.0f} ms, and {1e3 * least:.0f} ms for the drawing, at least")
            times = seconds(lambda engine=engine: draw(engine), options.repeats)
            say(f"  to the first picture, {engine}", times, imports + least)


if __name__ == "__main__":
    main(tyro.cli(Options))
