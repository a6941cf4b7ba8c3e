"""The shares of a study as a picture."""

from collections.abc import Sequence
from pathlib import Path

from telldraw.commands.plotting import BLUE, FAINT, INK, look
from telldraw.commands.study_page import QUESTIONS
from telldraw.errors import TelldrawError
from telldraw.metrics.preferences import Outcome, percent


def of_whom(each: Outcome) -> str:
    """How many answers of how many people."""
    return f"{each.answers:,} answers of {each.raters} rater{'s' * (each.raters > 1)}, {each.items:,} texts"


def draw(found: Sequence[Outcome], path: Path) -> None:
    """One panel a question: a bar for each method with its interval, and a line for chance."""
    with look():
        from matplotlib.figure import Figure

        count = len(found[0].methods)
        figure = Figure(figsize=(4.4 * len(found) + 0.8, 1.5 + 0.42 * count), dpi=150, layout="constrained")
        panels = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
        for axes, each in zip(panels, found, strict=True):
            names = [method.method for method in each.methods]
            shares = percent([method.share for method in each.methods])
            reach = [
                [max(0.0, share - 100 * method.low) for share, method in zip(shares, each.methods, strict=True)],
                [max(0.0, 100 * method.high - share) for share, method in zip(shares, each.methods, strict=True)],
            ]
            axes.barh(names, shares, color=BLUE, height=0.6)
            axes.errorbar(shares, names, xerr=reach, fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
            for place, (share, method) in enumerate(zip(shares, each.methods, strict=True)):
                axes.text(100 * method.high + 1.5, place, f"{share:.1f} %", va="center")
            axes.axvline(100 / len(names), color=FAINT, linestyle="--", linewidth=1)
            title = f"{QUESTIONS.get(each.question, each.question)}\n"
            axes.set_title(title + of_whom(each), fontsize=10)
            axes.set_xlabel("chosen, %; bars 95 %, dashed chance")
            axes.set_xlim(0, max(100 * method.high for method in each.methods) * 1.25 + 4)
            axes.set_ylim(len(names) - 0.4, -0.6)  # the first method on top
        try:
            figure.savefig(path)
        except OSError as error:
            raise TelldrawError(f"--plot {path} cannot be written: {error.strerror}") from None
