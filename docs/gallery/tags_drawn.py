"""Draws tags-drawn.png here: `python docs/gallery/tags_drawn.py TAGGER DRAWER`: ten scenes drawn, and the words found.

The scenes are drawn by weights that were trained on CoDraw, so the picture is CC BY-NC 4.0; what the tagger finds on
true scenes is drawn by tags.py, and not kept in this repository.
"""

import sys
from pathlib import Path
from typing import Any

import torch

from telldraw import pixels, weights
from telldraw.commands import looking
from telldraw.commands.picture_sheets import noises
from telldraw.commands.tags import FEW
from telldraw.drawing.sheet import Frame, Strip, contact_sheet, enlarge
from telldraw.metrics import tagging

OUT, ASPECT = Path(__file__).with_name("tags-drawn.png"), 1.25
ASKED = ("sun", "oaktree", "boy", "girl", "dog")


@torch.inference_mode()
def main() -> None:
    """Ten scenes of seed 0, none left out."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder = weights.find(sys.argv[1])
    tagger, drawer = weights.load(folder), weights.load(weights.find(sys.argv[2]))
    system: Any = drawer.system
    label = torch.tensor([[float(name in ASKED) for name in drawer.card["classes"]]]).expand(10, -1)
    images = system.generate(noises(0, 10, system.noise_dim), label)
    features = looking.load(str(folder / weights.NETWORK), "cpu").features(pixels.to_uint8(images).numpy())
    found = tagging.propose(tagger.system, torch.from_numpy(features), seed=0, words=FEW)  # type: ignore[arg-type]
    frames = []
    for image, tags in zip(images, found.tags.tolist(), strict=True):
        words = ", ".join(tagger.card["classes"][tag] for tag in tags if tag >= 0)
        frames.append(Frame(enlarge(pixels.to_image(image), 3, drawer.card.get("aspect", ASPECT)), "", words))
    heading = f"drawn for: {', '.join(ASKED)}; below, the ten words found"
    contact_sheet([Strip(heading, frames[:5]), Strip("", frames[5:])]).save(OUT, optimize=True)
    print(OUT)


if __name__ == "__main__":
    main()
