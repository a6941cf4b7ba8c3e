"""What others reached, beside which ours are printed: with GeNeVA's scores, and with TediGAN's.

Shares in percent, as they printed them.
"""

from typing import NamedTuple

_TABLE = "Matsumori et al. 2021 (LatteGAN), Table 1"
_RETOLD = f"El-Nouby et al. 2019, as quoted in {_TABLE}"
_REMEASURED = f"{_TABLE}, second GeNeVA row: what users get from the released code"
_THEIRS = f"{_TABLE}; mean of their runs"


class Published(NamedTuple):
    """One row of a published table."""

    method: str
    precision: float
    recall: float
    f1: float
    samples: bool
    """Whether `f1` is averaged over pictures; else it is the harmonic mean of the two columns before it."""
    relations: float
    source: str


PUBLISHED: dict[str, tuple[Published, ...]] = {
    "codraw": (
        Published("GeNeVA-GAN", 66.64, 52.66, 58.83, False, 35.41, _RETOLD),
        Published("GeNeVA-GAN, released code", 54.38, 54.42, 54.40, False, 38.93, _REMEASURED),
        Published("SSCR", 58.17, 56.61, 57.38, False, 39.11, f"Fu et al. 2020, as quoted in {_TABLE}"),
        Published("TIRG", 76.56, 73.40, 72.40, True, 46.64, _TABLE),
        Published("LatteGAN without Latte and text condition", 76.75, 73.99, 72.81, True, 47.43, _THEIRS),
        Published("LatteGAN without Latte", 79.04, 73.91, 74.02, True, 48.16, _THEIRS),
        Published("LatteGAN without text condition", 80.53, 78.42, 77.11, True, 53.13, _THEIRS),
        Published("LatteGAN, Latte without RFE", 80.85, 78.03, 77.05, True, 53.87, _THEIRS),
        Published("LatteGAN, Latte without STA", 78.96, 74.37, 74.20, True, 48.47, _THEIRS),
        Published("LatteGAN", 81.50, 78.37, 77.51, True, 54.16, _THEIRS),
    ),
    "iclevr": (
        Published("GeNeVA-GAN", 92.39, 84.72, 88.39, False, 74.02, _RETOLD),
        Published("GeNeVA-GAN, released code", 71.01, 42.61, 53.26, False, 30.66, _REMEASURED),
        Published("SSCR", 73.75, 46.39, 56.96, False, 34.54, f"Fu et al. 2020, as quoted in {_TABLE}"),
        Published("TIRG", 94.30, 92.96, 93.71, True, 77.55, _TABLE),
        Published("LatteGAN without Latte and text condition", 95.77, 94.60, 95.08, True, 79.31, _THEIRS),
        Published("LatteGAN without Latte", 98.35, 97.68, 97.96, True, 82.78, _THEIRS),
        Published("LatteGAN without text condition", 96.67, 95.52, 95.99, True, 81.04, _THEIRS),
        Published("LatteGAN, Latte without RFE", 98.77, 98.16, 98.42, True, 84.78, _THEIRS),
        Published("LatteGAN, Latte without STA", 99.00, 98.62, 98.79, True, 84.54, _THEIRS),
        Published("LatteGAN", 97.72, 96.93, 97.26, True, 83.21, _THEIRS),
    ),
}
"""By data set. LatteGAN's rows, and TIRG's, score the objects of all turns and the relations of each dialogue's last.

What the first row of each was averaged over is not known; the released code scores the last time step of each batch.
"""

FACES: tuple[tuple[str, float, float], ...] = (
    ("AttnGAN", 125.98, 0.512),
    ("ControlGAN", 116.32, 0.522),
    ("DF-GAN", 137.60, 0.581),
    ("DM-GAN", 131.05, 0.544),
    ("TediGAN", 106.37, 0.456),
)
"""Faces of Multi-Modal CelebA-HQ by text: FID, and LPIPS, both lower is better; stated by TediGAN's README."""
FACES_NOTE = (
    "not comparable: theirs are real faces at 256x256 in Inception's and LPIPS's features, of a number of pictures "
    "that is not known (others who followed the paper took 50)"
)

ABLATIONS: tuple[tuple[str, object, str], ...] = (
    ("iterative", False, "non-iterative"),
    ("image_feedback", False, "G does not see the canvas"),
    ("fusion", "none", "D does not see the canvas before"),
    ("fusion", "concat", "D sees both canvases side by side"),
    ("wrong_pairs", False, "no wrong pairs"),
    ("auxiliary_weight", 0, "no object head"),
    ("plan", True, "with a plan"),
    ("blend", True, "with a blend"),
)
"""Settings that make GeNeVA another row of its paper's tables, or no row of it at all, and what that is called."""


def row_name(system: str, config: dict[str, object]) -> str:
    """What our row is called: the system, and what its settings leave out or add."""
    different = [words for name, value, words in ABLATIONS if name in config and config[name] == value]
    return ", ".join([f"ours: {system}", *different])
