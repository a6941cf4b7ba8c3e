"""The sample sheet of a run: what a system does with the same dialogues of a data set, in a form for people.

Which form depends on what the system can do; a new capability gets a function here and a line in `SHEETS`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from telldraw import pixels
from telldraw.commands import depiction, guided, picture_sheets, retrieval, tags
from telldraw.drawing.marks import Kind, Mark, marked
from telldraw.drawing.noise import noise
from telldraw.drawing.sheet import Frame, Strip, contact_sheet, enlarge, scale_for
from telldraw.errors import TrainingError
from telldraw.protocols import Classifier, Detected, Detector, Tagger, TextEncoder

if TYPE_CHECKING:
    from telldraw.data.archive import Dataset, Dialogue
    from telldraw.protocols import Conversational

DETECTOR_WIDTH = 380
"""Least width in pixels of a picture on which names are written."""
_SCORED = 2048  # pictures of the validation split whose figures go beside a sheet: a second's work


def chosen(dataset: "Dataset", split: str, count: int, turns: tuple[int, int] = (3, 5)) -> "list[Dialogue]":
    """The first `count` dialogues of a split with a number of turns that makes a readable row."""
    fitting = [d for d in dataset.splits[split] if turns[0] <= d.stop - d.start <= turns[1]]
    return (fitting or dataset.splits[split])[:count]


def of(capabilities: Sequence[str]) -> list[Callable[..., list[Strip]]]:
    """How systems with these capabilities are shown. Raises TrainingError when nobody has said how."""
    ways = [show for name, show in SHEETS.items() if name in capabilities]
    if not ways:
        raise TrainingError(f"no sample sheet is known for a system that is {', '.join(capabilities) or 'nothing'}")
    return ways


def draw(
    system: Any, capabilities: Sequence[str], data: Any, chosen: Sequence[Any], *, device: torch.device | str = "cpu"
) -> list[Image.Image]:
    """The sheets of a system, one for each way to show it; `chosen`: dialogues, or rows of pictures."""
    pages = [show(system, data, chosen, device=device) for show in of(capabilities)]
    return [contact_sheet(page) for page in pages if page]


def chosen_of(data: Any, count: int) -> Sequence[Any]:
    """What the sheets of a run show again and again: dialogues of the validation split, or rows of pictures."""
    split = "val" if data.splits.get("val") else "train"
    return data.splits[split][: picture_sheets.COLUMNS * 4] if hasattr(data, "labels") else chosen(data, split, count)


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
                picture = _picture(dataset, row)
                true.append(Frame(enlarge(picture, size, dataset.facts.aspect), f"{turn + 1}", "true"))
        if truth:
            rows.append(Strip(f"{dialogue.id}, true", true))
        rows.append(Strip(f"{dialogue.id}, drawn", drawn))
    return rows


@torch.inference_mode()
def findings(
    system: Detector,
    dataset: "Dataset",
    dialogues: "Sequence[Dialogue]",
    *,
    device: torch.device | str = "cpu",
) -> list[Strip]:
    """The last true picture of each dialogue, with what the detector found, missed and named wrongly."""
    frames = []
    for dialogue in dialogues:
        row = dialogue.stop - 1
        image = pixels.to_float(torch.from_numpy(dataset.images[row].copy())).unsqueeze(0)
        answer = Detected(*(part[0].cpu() for part in system.detect(image.to(device))))
        marks = list(_marks(answer, dataset, row))
        picture = _picture(dataset, row)
        scale = -(-DETECTOR_WIDTH // picture.width)
        large = enlarge(picture, scale, dataset.facts.aspect)
        frames.append(Frame(marked(large, marks), dialogue.id, _told(marks)))
    return [Strip("last turns, true: green found, red missed, blue not there", frames)]


def _marks(answer: Detected, dataset: "Dataset", row: int) -> Iterator[Mark]:
    for index, name in enumerate(dataset.classes):
        there, probability = bool(dataset.objects[row, index]), float(answer.probability[index])
        if not there and probability <= 0.5:
            continue
        kind = Kind.FALSE if not there else Kind.FOUND if probability > 0.5 else Kind.MISSED
        x, y = dataset.position[row, index, :2].tolist() if kind is Kind.MISSED else answer.position[index, :2].tolist()
        yield Mark(x, y, kind, name)


def _told(marks: Sequence[Mark]) -> str:
    parts = []
    for kind in Kind:
        names = [mark.name for mark in marks if mark.kind is kind]
        if names:
            parts.append(f"{kind.value}: {', '.join(names)}")
    return "; ".join(parts) or "nothing there, nothing found"


def _picture(dataset: "Dataset", row: int) -> Image.Image:
    return pixels.to_image(pixels.to_float(torch.from_numpy(dataset.images[row].copy())))


SHEETS: dict[str, Callable[..., list[Strip]]] = {
    "Conversational": strips,
    "Detector": findings,
    "Autoencoder": picture_sheets.reconstructions,
    "Generative": picture_sheets.samples,
    "Classifier": picture_sheets.mistakes,
    "Tagger": tags.sheet,
    "TextEncoder": retrieval.found,
    "TextToImage": depiction.sheet,
    "StyleEncoder": depiction.restyled,
    "Guided": guided.sheet,
}
"""Capability -> (system, data set, dialogues or rows, device=) -> strips, a page for each that a system has."""


@torch.inference_mode()
def figures(system: Any, dataset: Any, *, device: torch.device | str = "cpu") -> Iterator[str]:
    """What is quickly measured beside a sheet, on validation pictures: for a detector, how many objects it finds."""
    split = "val" if dataset.splits.get("val") else "train"
    if isinstance(system, Classifier):
        from telldraw.metrics.classification import accuracy

        rows = dataset.splits[split][:_SCORED]
        share = accuracy(system, dataset.images, dataset.labels, rows, device=device)
        yield f"{len(rows):,} {split} pictures: accuracy {share:.4f}"
    if isinstance(system, Tagger):
        rows = dataset.splits[split][:_SCORED]
        yield f"{len(rows):,} {split} pictures: {tags.summary(system, dataset, rows)}"
    if isinstance(system, TextEncoder):
        yield retrieval.summary(system, dataset, split, device=device)
    if isinstance(system, Detector):
        from telldraw.metrics.detection import measure

        rows = [row for d in dataset.splits[split] for row in range(d.start, d.stop)][:_SCORED]
        found = measure(system, dataset.images, dataset.objects, dataset.position, rows, device=device)
        yield f"{len(rows):,} {split} pictures: samples F1 {found.f1_samples:.4f}, position off by {found.distance:.4f}"
