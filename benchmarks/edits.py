"""How far an edit of a face should go, and in which layers: what comes out, and what else changes.

    python benchmarks/edits.py tedigan-faces-64 --data faces-64.telldraw --judge runs/judge-faces-64

Validation faces, as the weights read them, each with four edits (another hair colour, eyeglasses, a smile, a hat; the
plan of `telldraw evaluate`). A cell: percent as asked of those that were not; percent of other attributes that changed.
"""

from collections.abc import Callable

import tyro

from _faces import Options, cell, moved, opened
from telldraw.commands import steering
from telldraw.commands.table import table

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


def main(options: Options) -> None:
    """Print the table."""
    shown = opened(options, "val")
    measured = steering.table_of(shown.loaded, steering.AUTO)
    lines = []
    for name, (neighbours, kept, strengths) in WAYS.items():
        steering.NEIGHBOURS = neighbours
        own = {attribute: kept(layers) for attribute, layers in measured.items()}
        for strength in strengths:
            cells = [cell(shown, moved(shown, edit, own, strength), edit) for edit in shown.plans]
            lines.append([name, f"{strength:g}", *cells])
    print(table(["an edit moves", "strength", *(edit.name for edit in shown.plans)], lines))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
