"""`telldraw weights`: what can draw without training, with licence, size and measured figures. Imports no torch."""

import json as json_format
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tyro

from telldraw.commands.table import table


@dataclass(frozen=True)
class Weights:
    """List the weights at hand: what they are made from, what was measured, and where they lie."""

    json: bool = False
    """Print one JSON document instead, for other programs; it has each card in full, and the folder."""


def run(argv: list[str]) -> None:
    """Print the table of weights that come with telldraw or lie in a folder `weights`."""
    options = tyro.cli(Weights, args=argv, prog="telldraw weights", config=(tyro.conf.FlagCreatePairsOff,))
    from telldraw.weights import DEFAULT, at_hand, card

    folders = at_hand()
    cards = {name: card(folder) for name, folder in folders.items()}
    sizes = {name: sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) for name, folder in folders.items()}
    if options.json:
        extra = {n: {"default": n == DEFAULT, "folder": str(folders[n]), "bytes": sizes[n]} for n in cards}
        print(json_format.dumps({name: card | extra[name] for name, card in cards.items()}, indent=2))
        return
    if not cards:
        print("No weights are at hand; train some with `telldraw train`.")
        return
    rows = [_row(name, card, sizes[name], name == DEFAULT) for name, card in cards.items()]
    print(table(("weights", "system", "data", "licence", "pixels", "size", "measured"), rows))
    print("\n* draws when no --weights are given; where they lie:")
    for name, folder in folders.items():
        for path in sorted({*folder.glob("model*.safetensors"), *folder.glob("model.onnx")}):
            print(f"  {name}: {path}")


_SHOWN = 8
"""Figures of a card that the table has room for."""


def _row(name: str, card: dict[str, Any], size: int, default: bool) -> tuple[str, ...]:
    side = card.get("resolution")
    all_figures = [f"{key} {value}" for key, value in _flat(card.get("figures") or {})]
    more = [f"and {len(all_figures) - _SHOWN} more (--json)"] if len(all_figures) > _SHOWN else []
    figures = ", ".join([*all_figures[:_SHOWN], *more])
    return (
        name + (" *" if default else ""),
        _text(card.get("system")),
        _text(card.get("data")),
        _text(card.get("licence")),
        f"{side}x{side}" if side else "?",
        f"{size / 1e6:.1f} MB",
        figures or "nothing yet",
    )


def _text(value: Any) -> str:
    """One cell: a card may say a thing in a word, or in a table of its own that has a name."""
    if isinstance(value, dict):
        return str(value.get("name", "?"))
    return "?" if value is None else str(value)


def _flat(figures: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Figures however they are nested -> name and number; four digits are what a reader wants."""
    if isinstance(figures, dict):
        for key, value in figures.items():
            yield from _flat(value, f"{name} {key}".strip())
    elif isinstance(figures, float):
        yield name, f"{figures:.4g}"
    else:
        yield name, str(figures)
