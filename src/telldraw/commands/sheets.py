"""The sample sheet: the same dialogues of a data set, drawn by a system, the instruction under each frame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from telldraw import pixels
from telldraw.drawing.noise import noise
from telldraw.drawing.sheet import Frame, Strip, enlarge, scale_for

if TYPE_CHECKING:
    from telldraw.data.archive import Dataset, Dialogue
    from telldraw.protocols import Conversational


def chosen(dataset: "Dataset", split: str, count: int, turns: tuple[int, int] = (3, 5)) -> "list[Dialogue]":
    """The first `count` dialogues of a split with a number of turns that makes a readable row."""
    fitting = [d for d in dataset.splits[split] if turns[0] <= d.stop - d.start <= turns[1]]
    return (fitting or dataset.splits[split])[:count]


@torch.inference_mode()
def strips(
    system: "Conversational",
    dataset: "Dataset",
    dialogues: "Sequence[Dialogue]",
    *,
    seed: int = 0,
    truth: bool = True,
    scale: int | None = None,
    device: torch.device | str = "cpu",
) -> list[Strip]:
    """Draw the dialogues, each from the empty canvas on the system's own canvases; with `truth`, the true row above."""
    rows = []
    for dialogue in dialogues:
        state = system.start()
        drawn, true = [], []
        for turn, row in enumerate(range(dialogue.start, dialogue.stop)):
            words = torch.from_numpy(dataset.words(row)).to(device).unsqueeze(0)
            z = torch.from_numpy(noise(seed, turn + 1, system.noise_dim)).to(device).unsqueeze(0)
            state = system.turn(state, words, z)
            image = pixels.to_image(state.canvas[0])
            size = scale_for(image.width, scale)
            drawn.append(Frame(enlarge(image, size, dataset.facts.aspect), f"{turn + 1}", dataset.said(row)))
            if truth:
                picture = pixels.to_image(pixels.to_float(torch.from_numpy(dataset.images[row].copy())))
                true.append(Frame(enlarge(picture, size, dataset.facts.aspect), f"{turn + 1}", "true"))
        if truth:
            rows.append(Strip(f"{dialogue.id}, true", true))
        rows.append(Strip(f"{dialogue.id}, drawn", drawn))
    return rows
