r"""What a CLIP model adds to edits of faces (`telldraw edit --clip`), by the weight of its part.

    python recipes/small_clip.py faces-64.telldraw runs/clip-faces
    python benchmarks/clip_edits.py tedigan-faces-64 --data faces-64.telldraw --judge runs/judge-faces-64 \
        --clip runs/clip-faces

Test faces as the weights read them, each with four edits (another hair colour, eyeglasses, a smile, a hat; the plan of
`telldraw evaluate`). A cell: percent as asked of those that were not; percent of other attributes that changed.
"""

from dataclasses import dataclass

import tyro
from torch import Tensor

import _faces
from _faces import Faces, by_text, cell, moved, opened
from telldraw.commands import face_edits, steering
from telldraw.commands.face_judging import synthesised
from telldraw.commands.guided import Source, fitted
from telldraw.commands.table import table
from telldraw.metrics.clip import Clip


@dataclass(frozen=True, kw_only=True)
class Options(_faces.Options):
    """Edit test faces with and without a CLIP model."""

    clip: str
    """A CLIP model."""
    clip_weights: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Of 1 - cosine, beside the pixels' mean square."""
    steps: int = 100
    """Of the fit."""


def by_clip(shown: Faces, code: Tensor, edit: face_edits.Edit, options: Options, weight: float) -> Tensor:
    """Codes [N, L, C] fitted to their texts, held to what they draw, as `telldraw edit` does."""
    found, drawn = code.clone(), synthesised(shown.loaded.system, code)
    for text, here in by_text(edit, len(code)).items():
        source = Source(steps=options.steps, clip=options.clip, clip_weight=weight)
        found[here] = fitted(shown.loaded.system, drawn[here], code[here], source, "cpu", Clip(options.clip, text))
    return found


def main(options: Options) -> None:
    """Print the table."""
    shown = opened(options, "test")
    layers = steering.table_of(shown.loaded, steering.AUTO)
    told = [moved(shown, edit, layers) for edit in shown.plans]
    lines = [["moved by the text", *(cell(shown, *pair) for pair in zip(told, shown.plans, strict=True))]]
    for start, codes in (("CLIP alone", [shown.code] * len(told)), ("moved, then CLIP", told)):
        for weight in options.clip_weights:
            pairs = zip(codes, shown.plans, strict=True)
            cells = [cell(shown, by_clip(shown, code, edit, options, weight), edit) for code, edit in pairs]
            lines.append([f"{start}, weight {weight:g}", *cells])
    print(table(["edited how", *(edit.name for edit in shown.plans)], lines))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
