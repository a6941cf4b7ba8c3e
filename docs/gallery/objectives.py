"""Draws dcgan-objectives.png here: `python docs/gallery/objectives.py NAME=RUN ...`, seed 0, none left out."""

import sys
from pathlib import Path
from typing import Any

import torch

from telldraw import pixels, weights
from telldraw.commands.picture_sheets import noises
from telldraw.drawing.sheet import Frame, Strip, contact_sheet, enlarge

OUT = Path(__file__).with_name("dcgan-objectives.png")
COUNT, SCALE = 20, 2


@torch.inference_mode()
def main() -> None:
    """Twenty digits of each network, from the same noise."""
    if len(sys.argv) < 2 or not all("=" in word for word in sys.argv[1:]):
        sys.exit(__doc__)
    strips = []
    for word in sys.argv[1:]:
        name, _, run = word.partition("=")
        system: Any = weights.load(weights.find(run)).system
        images = system.generate(noises(0, COUNT, system.noise_dim), None)
        frames = [Frame(enlarge(pixels.to_image(image).convert("RGB"), SCALE), "", "") for image in images]
        strips.append(Strip(name, frames))
    contact_sheet(strips).save(OUT, optimize=True)
    print(OUT)


if __name__ == "__main__":
    main()
