"""Faces to be edited, and what a judge says of the edits, for `edits.py` and `clip_edits.py`."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, NamedTuple

import torch
import tyro
from torch import Tensor

from telldraw.commands import face_edits, loading, steering
from telldraw.commands.face_judging import Judge, chosen, coded, pictures, synthesised
from telldraw.commands.picture_evaluation import Job
from telldraw.data.collection import Collection
from telldraw.metrics import faces
from telldraw.weights import Loaded


@dataclass(frozen=True)
class Options:
    """Whose edits, of which faces."""

    weights: Annotated[str, tyro.conf.Positional]
    """Weights of tedigan that read texts, with a table of layers."""
    data: Path
    """The prepared faces."""
    judge: str
    """A classifier of their attributes."""
    faces: int = 200
    """How many."""


class Faces(NamedTuple):
    """Faces as the weights read them."""

    loaded: Loaded
    judge: Judge
    code: Tensor  # [N, L, C]
    before: Tensor  # [N, K], what the judge says of them
    plans: list[face_edits.Edit]


@torch.no_grad()
def opened(options: Options, split: str) -> Faces:
    """The first faces of a split, and the plan of `telldraw evaluate`: another hair colour, glasses, a smile, a hat."""
    loaded, collection = loading.load(options.weights, "cpu", ("Guided",), "read faces"), Collection.open(options.data)
    given = SimpleNamespace(
        classifier=options.judge, device="cpu", lpips=None, split=split, limit=options.faces, seed=0
    )
    job = Job(loaded, Path(options.weights), collection, given)
    judge = chosen(job)
    assert judge is not None
    rows = list(job.rows)
    code = coded(loaded.system, "image", pictures(job, rows), "cpu")
    before = judge.probability(synthesised(loaded.system, code))
    return Faces(loaded, judge, code, before, face_edits.planned(collection.labels[rows], judge.names, 0))


def by_text(edit: face_edits.Edit, count: int) -> dict[str, Tensor]:
    """Which of `count` faces are told each instruction."""
    told = [edit.instruction(row) for row in range(count)]
    return {text: torch.tensor([row for row, each in enumerate(told) if each == text]) for text in dict.fromkeys(told)}


@torch.no_grad()
def moved(shown: Faces, edit: face_edits.Edit, layers: steering.Table, strength: float = steering.STRENGTH) -> Tensor:
    """The codes [N, L, C] of all faces after one edit by its text."""
    changed = shown.code.clone()
    for text, here in by_text(edit, len(changed)).items():
        changed[here] = steering.Change(shown.loaded, text, table=layers, strength=strength)(shown.code[here])
    return changed


@torch.inference_mode()
def cell(shown: Faces, changed: Tensor, edit: face_edits.Edit) -> str:
    """What came of one edit: percent as asked of those that were not; percent of other attributes that changed."""
    judge, before = shown.judge, shown.before
    after = judge.probability(synthesised(shown.loaded.system, changed))
    asked = judge.asked([{name: there} for name, there in zip(edit.attribute, edit.there, strict=True)])
    other = faces.interference(before, after, asked, spared=judge.spared(asked)).changed
    return f"{100 * faces.flipped(before, after, asked).value:.1f}, {100 * other.value:.1f}"
