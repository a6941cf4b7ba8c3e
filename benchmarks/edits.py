"""How far an edit of a face should go, and in which layers: what comes out, and what else changes.

    python benchmarks/edits.py tedigan-faces-64 --data faces-64.telldraw --judge runs/judge-faces-64

Validation faces, as the weights read them, each with four edits (another hair colour, eyeglasses, a smile, a hat; the
plan of `telldraw evaluate`). A cell: percent as asked of those that were not; percent of other attributes that changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import torch
import tyro

from telldraw.commands import face_edits, loading, steering
from telldraw.commands.face_judging import Judge, chosen, coded, pictures, synthesised
from telldraw.commands.picture_evaluation import Job
from telldraw.commands.table import table
from telldraw.data.collection import Collection
from telldraw.metrics import faces

Layers = tuple[int, ...]
WAYS: dict[str, tuple[int, Callable[[Layers], Layers], tuple[float, ...]]] = {
    "the layers that decide": (0, lambda own: own, (1.25, 1.75)),
    "one more on both sides": (1, lambda own: own, (1.25,)),
    "two more on both sides": (2, lambda own: own, (1.25, 1.4, 1.75)),
    "all layers": (99, lambda own: own, (1.25,)),
    "those that decide but the first": (0, lambda own: own[1:] or own, (1.75,)),
    "those that decide but the last": (0, lambda own: own[:-1] or own, (1.75,)),
}
"""Neighbours, what becomes of the measured layers, strengths."""


@dataclass(frozen=True)
class Options:
    """Edit validation faces in several ways."""

    weights: Annotated[str, tyro.conf.Positional]
    """Weights of tedigan that read texts, with a table of layers."""
    data: Path
    """The prepared faces."""
    judge: str
    """A classifier of their attributes."""
    faces: int = 200
    """How many."""


@torch.inference_mode()
def cell(judge: Judge, code: torch.Tensor, edit: face_edits.Edit, own: steering.Table, strength: float) -> str:
    """One edit of all faces."""
    before = judge.probability(synthesised(judge.job.loaded.system, code))
    told, changed = [edit.instruction(row) for row in range(len(code))], code.clone()
    for text in dict.fromkeys(told):
        here = torch.tensor([row for row, each in enumerate(told) if each == text])
        changed[here] = steering.Change(judge.job.loaded, text, table=own, strength=strength)(code[here])
    after = judge.probability(synthesised(judge.job.loaded.system, changed))
    asked = judge.asked([{name: there} for name, there in zip(edit.attribute, edit.there, strict=True)])
    other = faces.interference(before, after, asked, spared=judge.spared(asked)).changed
    return f"{100 * faces.flipped(before, after, asked).value:.1f}, {100 * other.value:.1f}"


def main(options: Options) -> None:
    """Print the table."""
    loaded, collection = loading.load(options.weights, "cpu", ("Guided",), "read faces"), Collection.open(options.data)
    given = SimpleNamespace(
        classifier=options.judge, device="cpu", lpips=None, split="val", limit=options.faces, seed=0
    )
    job = Job(loaded, Path(options.weights), collection, given)
    judge = chosen(job)
    assert judge is not None
    rows = list(job.rows)
    code = coded(loaded.system, "image", pictures(job, rows), "cpu")
    plans = face_edits.planned(collection.labels[rows], judge.names, 0)
    measured = steering.table_of(loaded, steering.AUTO)
    lines = []
    for name, (neighbours, kept, strengths) in WAYS.items():
        steering.NEIGHBOURS = neighbours
        own = {attribute: kept(layers) for attribute, layers in measured.items()}
        for strength in strengths:
            lines.append([name, f"{strength:g}", *(cell(judge, code, edit, own, strength) for edit in plans)])
    print(table(["an edit moves", "strength", *(edit.name for edit in plans)], lines))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
