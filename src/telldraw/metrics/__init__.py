"""The table of metrics: what each figure means, its unit, and which way is better. Listing it loads nothing heavy.

A new metric is one function or module here, one line below, and its scorer in `commands/evaluate.py`. Each is explained
in `docs/metrics.md`.
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
    "lpips_diversity": Entry(
        "Mean LPIPS among drawings of the same words: how different they are", "", True, "Zhang et al., CVPR 2018"
    ),
    "fid": Entry("Fréchet distance of Inception features", "", False, "Heusel et al., NeurIPS 2017, Eq. 6"),
    "kid": Entry("Squared MMD of Inception features, cubic kernel", "", False, "Bińkowski et al., ICLR 2018"),
    "inception_score": Entry(
        "How sure of each drawing, unsure of all together, Inception is", "", True, "Salimans et al., NeurIPS 2016"
    ),
    "precision": Entry(
        "Share of drawings near real pictures, in Inception features", "", True, "Kynkäänniemi et al., NeurIPS 2019"
    ),
    "recall": Entry(
        "Share of real pictures near drawings, in Inception features", "", True, "Kynkäänniemi et al., NeurIPS 2019"
    ),
    "frechet_detector": Entry(
        "Fréchet distance (detector features); not an FID", "", False, "the equation of the FID, other features"
    ),
    "kernel_detector": Entry(
        "Squared MMD, cubic kernel (detector features)", "", False, "the equation of the KID, other features"
    ),
    "precision_detector": Entry(
        "Share of drawings near real pictures (detector features)", "", True, "Kynkäänniemi et al., NeurIPS 2019"
    ),
    "recall_detector": Entry(
        "Share of real pictures near drawings (detector features)", "", True, "Kynkäänniemi et al., NeurIPS 2019"
    ),
    "r_precision": Entry(
        "How often a picture finds its own words among 99 mismatched", "", True, "Xu et al., CVPR 2018, section 4"
    ),
}

ROWS = {
    "free-running": "each turn repaints the drawer's own last canvas: what a user sees",
    "teacher-forced": "each turn repaints the true canvas before it: errors do not add up",
    "copy the previous true canvas": "no drawer: the true canvas before the turn, as if the instruction was ignored",
    "background only": "no drawer: the canvas before the first turn",
}
"""What is scored, in the order of the table, and what that means."""
