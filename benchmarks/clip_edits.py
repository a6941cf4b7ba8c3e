r"""What a CLIP model adds to edits of faces (`telldraw edit --clip`), by the weight of its part.

    python recipes/small_clip.py faces-64.telldraw runs/clip-faces
    python benchmarks/clip_edits.py tedigan-faces-64 --data faces-64.telldraw --judge runs/judge-faces-64 \
        --clip runs/clip-faces

Test faces as the weights read them, each with four edits (another hair colour, eyeglasses, a smile, a hat; the plan of
`telldraw evaluate`). A cell: percent as asked of those that were not; percent of other attributes that changed.
"""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import torch
import tyro
from torch import Tensor

from telldraw.commands import face_edits, loading, steering
from telldraw.commands.face_judging import Judge, chosen, coded, pictures, synthesised
from telldraw.commands.guided import Source, fitted
from telldraw.commands.picture_evaluation import Job
from telldraw.commands.table import table
from telldraw.data.collection import Collection
from telldraw.metrics import faces
from telldraw.metrics.clip import Clip


@dataclass(frozen=True)
class Options:
    """Edit test faces with and without a CLIP model."""

    weights: Annotated[str, tyro.conf.Positional]
    """Weights of tedigan that read texts, with a table of layers."""
    data: Path
    """The prepared faces."""
    judge: str
    """A classifier of their attributes."""
    clip: str
    """A CLIP model."""
    clip_weights: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0)
    """Of 1 - cosine, beside the pixels' mean square."""
    faces: int = 64
    """How many."""
    steps: int = 100
    """Of the fit."""


def by_clip(job: Job, code: Tensor, told: list[str], options: Options, weight: float) -> Tensor:
    """Codes [N, L, C] fitted to their texts, held to what they draw, as `telldraw edit` does."""
    found, drawn = code.clone(), synthesised(job.loaded.system, code)
    for text in dict.fromkeys(told):
        here = torch.tensor([row for row, each in enumerate(told) if each == text])
        source = Source(steps=options.steps, clip=options.clip, clip_weight=weight)
        found[here] = fitted(job.loaded.system, drawn[here], code[here], source, "cpu", Clip(options.clip, text))
    return found


def cell(judge: Judge, before: Tensor, changed: Tensor, edit: face_edits.Edit) -> str:
    """What came of one edit."""
    with torch.inference_mode():
        after = judge.probability(synthesised(judge.job.loaded.system, changed))
        asked = judge.asked([{name: there} for name, there in zip(edit.attribute, edit.there, strict=True)])
        other = faces.interference(before, after, asked, spared=judge.spared(asked)).changed
        return f"{100 * faces.flipped(before, after, asked).value:.1f}, {100 * other.value:.1f}"


def main(options: Options) -> None:
    """Print the table."""
    loaded, collection = loading.load(options.weights, "cpu", ("Guided",), "read faces"), Collection.open(options.data)
    given = SimpleNamespace(
        classifier=options.judge, device="cpu", lpips=None, split="test", limit=options.faces, seed=0
    )
    job = Job(loaded, Path(options.weights), collection, given)
    judge = chosen(job)
    assert judge is not None
    rows = list(job.rows)
    with torch.no_grad():
        code = coded(loaded.system, "image", pictures(job, rows), "cpu")
        before = judge.probability(synthesised(loaded.system, code))
    plans = face_edits.planned(collection.labels[rows], judge.names, 0)
    told = [[edit.instruction(row) for row in range(len(rows))] for edit in plans]
    moved, layers = [], steering.table_of(loaded, steering.AUTO)
    for texts in told:
        with torch.no_grad():
            changed = code.clone()
            for text in dict.fromkeys(texts):
                here = [row for row, each in enumerate(texts) if each == text]
                changed[here] = steering.Change(loaded, text, table=layers)(code[here])
            moved.append(changed)
    lines = [["moved by the text", *(cell(judge, before, *pair) for pair in zip(moved, plans, strict=True))]]
    for start, codes in (("CLIP alone", [code] * len(plans)), ("moved, then CLIP", moved)):
        for weight in options.clip_weights:
            cells = []
            for texts, own, edit in zip(told, codes, plans, strict=True):
                cells.append(cell(judge, before, by_clip(job, own, texts, options, weight), edit))
            lines.append([f"{start}, weight {weight:g}", *cells])
    print(table(["edited how", *(edit.name for edit in plans)], lines))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
