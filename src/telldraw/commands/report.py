"""The report of an evaluation, as a table for people and as JSON for programs."""

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telldraw.commands import distribution
from telldraw.errors import TelldrawError
from telldraw.metrics import METRICS, ROWS

_DRAWN, _TRUE = next(iter(ROWS)), list(ROWS)[-1]
_HEADS = ("drawer", "P", "R", "F1 samples", "F1 harmonic", "RSIM", "source")
_MEANING = {"all": "over all turns", "last": "over each dialogue's own last turn"}


def columns(report: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """The metrics by group, twice, over all turns and over the last ones: group -> (turns, metric, heading)."""
    first = next(iter(report["scores"].values()))
    found: dict[str, list[tuple[str, str, str]]] = {}
    for turns, metrics in first.items():
        for metric in sorted(metrics, key=list(METRICS).index):
            entry = METRICS[metric]
            unit = f" {entry.unit}" if entry.unit else ""
            heading = f"{entry.heading or metric.upper()}{unit} {'↑' if entry.higher_is_better else '↓'} {turns}"
            found.setdefault(entry.group, []).append((turns, metric, heading))
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
    detector = report.get("detector")
    found = f"{detector['name']} ({detector['weights']:,} weights)" if detector else "none"
    return [
        ("weights", f"{weights['name']} ({weights['system']}{seen})"),
        ("data", f"{data['name']}, split {data['split']}, {data['resolution']}x{data['resolution']}"),
        ("scored", f"{report['turns']:,} pictures (all turns), {report['dialogues']:,} of them the last of a dialogue"),
        ("detector", found),
        ("losses", losses or f"none: {report['no_losses_because']}"),
        ("speed", f"{report['turns_per_second']:,.1f} turns/s, batches of {report['batch_size']} dialogues"),
        ("device", f"{report['device']}, {report['threads']} threads, torch {report['torch']}"),
        ("seed", str(report["seed"])),
        ("date", f"{report['date']}, telldraw {report['telldraw']}"),
        ("command", report["command"]),
    ]


def beside_published(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Our rows and the published ones of the same data set, in percent; empty without a detector."""
    from telldraw.metrics.published import PUBLISHED

    if not report.get("detector"):
        return []
    name, scores = report["detector"]["name"], report["scores"]
    rows = []
    for row, ending, turns, title in (
        (_DRAWN, "", "all", f"{report['row']}, {_MEANING['all']}"),
        (_DRAWN, "", "last", f"{report['row']}, {_MEANING['last']}"),
        (_DRAWN, "_labels", "all", f"{report['row']}, against the true labels"),
        (_TRUE, "_labels", "all", "ceiling: true pictures against the true labels"),
        (_TRUE, "_labels", "last", "ceiling, last turns"),
    ):
        values = scores[row][turns]
        names = ("object_precision", "object_recall", "object_f1", "object_f1_harmonic", "relations")
        figures = [f"{100 * values[f'{metric}{ending}']:.2f}" for metric in names]
        rows.append((title, *figures, f"{name}, {report['turns' if turns == 'all' else 'dialogues']:,} pictures"))
    for each in PUBLISHED.get(report["data"]["name"], ()):
        f1 = f"{each.f1:.2f}"
        both = (f1, "") if each.samples else ("", f1)
        shares = f"{each.precision:.2f}", f"{each.recall:.2f}", *both, f"{each.relations:.2f}"
        rows.append((each.method, *shares, each.source))
    return rows


def figures(report: dict[str, Any]) -> dict[str, Any]:
    """The few that go into the card of the weights."""
    drawn = report["scores"][_DRAWN]
    found = {name.upper(): round(value, 4) for name, value in drawn["all"].items() if name in ("psnr", "ssim")}
    if report.get("detector"):
        found["object F1 samples"] = round(drawn["all"]["object_f1"], 4)
        found["RSIM last"] = round(drawn["last"]["relations"], 4)
    return {report["data"]["split"]: found}


def markdown(report: dict[str, Any]) -> str:
    """The report as a page."""
    lines = [f"# {report['weights']['name']} on {report['data']['name']}, {report['data']['split']}", ""]
    if published := beside_published(report):
        lines += ["## Beside the published figures", "", *_rows(_HEADS, published), "", report["note"], ""]
        lines += [_how_read(report), ""]
    for group, heads in columns(report).items():
        lines += [f"## {group[0].upper()}{group[1:]}", ""]
        cells = [
            [row, *(cell(metric, scores[turns][metric]) for turns, metric, _ in heads)]
            for row, scores in report["scores"].items()
        ]
        lines += [*_rows(["pictures", *(heading for _, _, heading in heads)], cells), ""]
    if "distribution" in report:
        lines += ["## All pictures together", "", *distribution.page(report["distribution"]), ""]
    lines += ["*all*: every turn. *last*: each dialogue's own last turn.", ""]
    lines += [f"- {row}: {meaning}." for row, meaning in ROWS.items() if row in report["scores"]]
    lines += ["", *_rows(("", ""), facts(report))]
    return "\n".join([*lines, *(() if published else ("", report["note"])), ""])


def _rows(heads: Any, rows: Any) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _how_read(report: dict[str, Any]) -> str:
    return (
        "In percent. P, R: precision and recall of the objects found in a drawing, averaged over drawings, against "
        "those found in the true picture. F1 samples: the F1 of each drawing, averaged; F1 harmonic: the harmonic mean "
        f"of P and R. RSIM: relational similarity, in {' and '.join(report['axes'])}. LatteGAN's rows have P, R and F1 "
        "over all turns and RSIM over each dialogue's last; what GeNeVA's own row was averaged over is not known."
    )


def write(report: dict[str, Any], folder: Path, page: str | None = None) -> None:
    """Write evaluation.json and evaluation.md (`page`, if given), each whole or not at all."""
    texts = {
        "evaluation.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "evaluation.md": markdown(report) if page is None else page,
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

    console = Console()

    def printed(title: str, heads: Any, rows: Any) -> None:
        table = Table(title=title, box=box.SIMPLE, title_justify="left")
        for number, heading in enumerate(heads):
            table.add_column(heading, justify="right" if number else "left", no_wrap=bool(number))
        for row in rows:
            table.add_row(*row)
        console.print(table)

    for group, heads in columns(report).items():
        for turns, meaning in _MEANING.items():
            chosen = [(metric, heading.removesuffix(f" {turns}")) for at, metric, heading in heads if at == turns]
            rows = [
                [row, *(cell(metric, scores[turns][metric]) for metric, _ in chosen)]
                for row, scores in report["scores"].items()
            ]
            printed(f"{group}, {meaning}", ["pictures", *(heading for _, heading in chosen)], rows)
    if "distribution" in report:
        distribution.show(report["distribution"])
    if published := beside_published(report):
        printed("beside the published figures, in percent", _HEADS[:-1], [row[:-1] for row in published])
        console.print(f"{_how_read(report)} Sources are in evaluation.md.", soft_wrap=True, highlight=False)
    for name, value in facts(report):
        console.print(f"{name:>8}  {value}", highlight=False, markup=False, soft_wrap=True)
    console.print(report["note"], soft_wrap=True, highlight=False)


def present(report: dict[str, Any], out: Path, show: Callable[[dict[str, Any]], None], *, as_json: bool) -> None:
    """Print a report, for people by `show` or for programs as JSON, and say where it is written."""
    if as_json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        show(report)
    place = f"written to {out / 'evaluation.json'} and {out / 'evaluation.md'}"
    print(place, file=sys.stderr if as_json else sys.stdout)
