"""How long presets take on this machine, from a short training of each, beside what `telldraw train` says of them.

    python benchmarks/recipes.py --data out --runs runs
    python benchmarks/recipes.py --data out --runs runs --only vae vqvae --seconds 40

A training of some seconds gives examples a second; the recipe's examples divided by that are its minutes, without the
sheets and the looks at validation in between. Whatever a preset begins with (a text encoder, a first stage) is looked
for in `runs`, prepared sets in `data`; a preset that lacks one is named and passed over. Systems that grow are not
here: their speed changes as they do.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from telldraw.commands.table import table
from telldraw.systems import load

BIRDS, FACES = "--text-encoder text-birds", "--perceptual features-faces-64"
PRIOR, STYLE = "--start-from vqvae-", "--start-from gan-cls"
ROWS = (
    *(("classifier", preset, data, "") for preset, data in (("mnist", "mnist-28"), ("objects", "codraw-objects-32"))),
    ("classifier", "birds", "clevr-birds-64-kinds", ""),
    *(("classifier", preset, "faces-64", "") for preset in ("faces", "faces-features")),
    *(("cgan", preset, "mnist-28", "") for preset in ("modern", "paper", "source")),
    *(("dcgan", preset, "mnist-32", "") for preset in ("mnist-32", "wgan-32", "wgan-gp-32")),
    ("dcgan", "scenes-64", "codraw-scenes-64", ""),
    *(("vae", f"mnist{form}", "mnist-28", "") for form in ("", "-long", "-2d", "-gaussian", "-stochastic", "-binary")),
    ("vae", "scenes-64", "codraw-scenes-64", ""),
    *(("pixelcnn", preset, "mnist-28", "") for preset in ("mnist-binary", "mnist-stochastic")),
    ("vqvae", "mnist", "mnist-28", ""),
    ("vqvae", "mnist-prior", "mnist-28", f"{PRIOR}mnist"),
    ("vqvae", "scenes-64", "codraw-scenes-64", ""),
    ("vqvae", "scenes-64-prior", "codraw-scenes-64", f"{PRIOR}scenes-64"),
    ("vqvae", "scenes-128-small", "codraw-scenes-128", ""),
    ("vqvae", "scenes-128-small-prior", "codraw-scenes-128", f"{PRIOR}scenes-128"),
    *(("tagger", preset, "codraw-tags", "") for preset in ("small", "paper")),
    *(("text-encoder", preset, "clevr-birds-64", "") for preset in ("small", "word-small")),
    ("gan-cls", "birds-64", "clevr-birds-64", BIRDS),
    ("gan-cls", "birds-64-style", "clevr-birds-64", STYLE),
    ("bicyclegan", "birds-64", "clevr-birds-64", f"{BIRDS} --perceptual text-birds"),
    ("stackgan", "birds-32", "clevr-birds-64", BIRDS),
    ("stackgan", "birds-64", "clevr-birds-64", "--start-from stackgan-32"),
    ("tedigan", "faces-64", "faces-64", f"--start-from faces-64 {FACES}"),
    ("tedigan", "faces-64-sketch", "faces-64", f"--start-from tedigan {FACES}"),
    ("tedigan", "faces-64-regions", "faces-64", f"--start-from tedigan {FACES}"),
    ("tedigan", "faces-64-text", "faces-64", "--start-from tedigan"),
)
"""System, preset, prepared set, and what it begins with: flags, each with the name of a run."""


@dataclass(frozen=True)
class Options:
    """Train each preset for some seconds."""

    data: Path = Path("out")
    """Folder of prepared sets, NAME.telldraw."""
    runs: Path = Path("runs")
    """Folder of the runs that presets begin with."""
    seconds: float = 25.0
    """How long to train each."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SYSTEM ...")] = ()
    """Only these systems, or presets as SYSTEM:PRESET."""


def rate(log: Path) -> float:
    """Examples a second over the later four fifths of a log, when everything has been allocated."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if "rate" in row]
    first = next(row for row in rows if row["seconds"] > rows[-1]["seconds"] / 5)
    return (rows[-1]["examples"] - first["examples"]) / (rows[-1]["seconds"] - first["seconds"])


def measured(row: tuple[str, str, str, str], options: Options) -> list[str]:
    """A line of the table."""
    system, preset, data, begins = row
    recipe = load(system).RECIPES[preset]
    flags = [options.runs / word if not word.startswith("--") else word for word in begins.split()]
    lacking = [
        str(flag)
        for flag in (*flags, options.data / f"{data}.telldraw")
        if isinstance(flag, Path) and not flag.exists()
    ]
    if lacking:
        return [system, preset, "", recipe.takes, f"lacks {', '.join(lacking)}", ""]
    cores = 2 if "two cores" in recipe.takes else 1
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "telldraw",
            "train",
            system,
            "--data",
            options.data / f"{data}.telldraw",
            "--preset",
            preset,
        ]
        command += [*flags, "--out", f"{folder}/run", "--max-minutes", options.seconds / 60, "--sheet-every", 10**9]
        done = subprocess.run(
            [str(word) for word in command],
            env=os.environ | {"OMP_NUM_THREADS": str(cores)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return [system, preset, "", recipe.takes, done.stderr.strip().splitlines()[-1], ""]
        speed = rate(Path(folder, "run", "log.jsonl"))
    minutes, says = recipe.examples / speed / 60, re.match(r"\d+", recipe.takes)
    ratio = f"{minutes / int(says.group()):.2f}" if says else ""
    return [system, preset, f"{speed:,.0f}", recipe.takes, f"{minutes:.1f} minutes", ratio]


def main(options: Options) -> None:
    """Print the table."""
    asked = [row for row in ROWS if not options.only or row[0] in options.only or ":".join(row[:2]) in options.only]
    lines = []
    for row in asked:
        print(f"{row[0]} {row[1]} ...", file=sys.stderr, flush=True)
        lines.append(measured(row, options))
    print(table(["system", "preset", "examples/s", "it is said", "measured", "measured / said"], lines))


if __name__ == "__main__":
    main(tyro.cli(Options))
