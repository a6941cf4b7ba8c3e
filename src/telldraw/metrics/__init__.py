"""The table of metrics: what each figure means, its unit, and which way is better. Listing it loads nothing heavy.

A new metric is one function or module here, one line below, and its scorer in `commands/evaluate.py`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One row of the table."""

    summary: str
    """What is measured, in a line."""
    unit: str
    """Unit of the figure; empty for a pure number."""
    higher_is_better: bool
    source: str
    """Where the definition comes from."""


METRICS: dict[str, Entry] = {
    "psnr": Entry(
        "Peak signal to noise ratio against the true next picture", "dB", True, "10 log10 of 255^2 / mean squared error"
    ),
    "ssim": Entry("Structural similarity to the true next picture", "", True, "Wang et al., IEEE TIP 2004"),
    "l1": Entry("Mean absolute error, as a share of the range of a pixel", "", False, "mean of |drawn - true| / 255"),
    "lpips": Entry(
        "Distance of deep features to those of the true next picture", "", False, "Zhang et al., CVPR 2018, version 0.1"
    ),
}

ROWS = {
    "free-running": "each turn repaints the drawer's own last canvas: what a user sees",
    "teacher-forced": "each turn repaints the true canvas before it: errors do not add up",
    "copy the previous true canvas": "no drawer: the true canvas before the turn, as if the instruction was ignored",
    "background only": "no drawer: the canvas before the first turn",
}
"""What is scored, in the order of the table, and what that means."""
