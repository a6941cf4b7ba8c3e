"""The report of an evaluation, as a table for people and as JSON for programs."""

import json
import math
import os
from pathlib import Path
from typing import Any

from telldraw.errors import TelldrawError
from telldraw.metrics import METRICS, ROWS


def columns(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The metrics twice, over all turns and over the last ones: (turns, metric, heading)."""
    first = next(iter(report["scores"].values()))
    found = []
    for turns, metrics in first.items():
        for metric in metrics:
            entry = METRICS[metric]
            unit = f" {entry.unit}" if entry.unit else ""
            found.append((turns, metric, f"{metric.upper()}{unit} {'↑' if entry.higher_is_better else '↓'} {turns}"))
    return found


def cell(metric: str, value: float) -> str:
    """A figure with the digits that mean something."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.2f}" if METRICS[metric].unit == "dB" else f"{value:.4f}"


def facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What a reader must know beside the figures."""
    weights, data = report["weights"], report["data"]
    seen = f", {weights['examples']:,} examples seen" if isinstance(weights["examples"], int) else ""
    losses = ", ".join(f"{name} {value:.4g}" for name, value in report["losses"].items())
    return [
        ("weights", f"{weights['name']} ({weights['system']}{seen})"),
        ("data", f"{data['name']}, split {data['split']}, {data['resolution']}x{data['resolution']}"),
        ("scored", f"{report['turns']:,} pictures (all turns), {report['dialogues']:,} of them the last of a dialogue"),
        ("losses", losses or f"none: {report['no_losses_because']}"),
        ("speed", f"{report['turns_per_second']:,.1f} turns/s, batches of {report['batch_size']} dialogues"),
        ("device", f"{report['device']}, {report['threads']} threads, torch {report['torch']}"),
        ("seed", str(report["seed"])),
        ("date", f"{report['date']}, telldraw {report['telldraw']}"),
        ("command", report["command"]),
    ]


def markdown(report: dict[str, Any]) -> str:
    """The report as a page."""
    heads = columns(report)
    lines = [f"# {report['weights']['name']} on {report['data']['name']}, {report['data']['split']}", ""]
    lines += [
        "| pictures | " + " | ".join(heading for _, _, heading in heads) + " |",
        "| --- |" + " --- |" * len(heads),
    ]
    for row, scores in report["scores"].items():
        cells = (cell(metric, scores[turns][metric]) for turns, metric, _ in heads)
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    lines += ["", "*all*: every turn. *last*: each dialogue's own last turn.", ""]
    lines += [f"- {row}: {meaning}." for row, meaning in ROWS.items() if row in report["scores"]]
    lines += ["", "| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts(report))]
    return "\n".join([*lines, "", report["note"], ""])


def write(report: dict[str, Any], folder: Path) -> None:
    """Write evaluation.json and evaluation.md, each whole or not at all."""
    texts = {
        "evaluation.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "evaluation.md": markdown(report),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            part = folder / f"{name}.part"
            part.write_text(text, encoding="utf-8")
            os.replace(part, folder / name)
    except OSError as error:
        raise TelldrawError(
            f"the report cannot be written to {folder}: {error.strerror}; choose another --out"
        ) from None


def show(report: dict[str, Any]) -> None:
    """Print the report."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console, heads = Console(), columns(report)
    for turns, meaning in (("all", "over all turns"), ("last", "over each dialogue's own last turn")):
        chosen = [(metric, heading) for at, metric, heading in heads if at == turns]
        table = Table(title=meaning, box=box.SIMPLE, title_justify="left")
        table.add_column("pictures", no_wrap=True)
        for _, heading in chosen:
            table.add_column(heading.removesuffix(f" {turns}"), justify="right", no_wrap=True)
        for row, scores in report["scores"].items():
            table.add_row(row, *(cell(metric, scores[turns][metric]) for metric, _ in chosen))
        console.print(table)
    for name, value in facts(report):
        console.print(f"{name:>8}  {value}", highlight=False, markup=False, soft_wrap=True)
    console.print(report["note"], soft_wrap=True)
