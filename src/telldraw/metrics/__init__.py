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
    heading: str = ""
    """Short name for the head of a column; the metric's own in capitals unless given."""
    group: str = "distance to the true pictures"
    """Metrics of one group stand in one table."""


METRICS: dict[str, Entry] = {
    "psnr": Entry(
        "Peak signal to noise ratio against the true next picture", "dB", True, "10 log10 of 255^2 / mean squared error"
    ),
    "ssim": Entry("Structural similarity to the true next picture", "", True, "Wang et al., IEEE TIP 2004"),
    "l1": Entry("Mean absolute error, as a share of the range of a pixel", "", False, "mean of |drawn - true| / 255"),
    "mse": Entry("Mean squared error of pixels in [0, 1]", "", False, "mean of (drawn - true)^2 / 255^2"),
    "lpips": Entry(
        "Distance of deep features to those of the true next picture", "", False, "Zhang et al., CVPR 2018, version 0.1"
    ),
    "lpips_to_real": Entry(
        "Mean LPIPS of drawings of words to the real picture that has them: how close they are",
        "",
        False,
        "Zhang et al., CVPR 2018; TediGAN's table counts lower as better",
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
    "nll_nats": Entry(
        "Minus log-likelihood of a picture, exact or from a lower bound",
        "nats",
        False,
        "Kingma & Welling, ICLR 2014, Eq. 3",
    ),
    "nll_bits": Entry(
        "The same per dimension of a picture", "bits", False, "nats / (C H W log 2); van den Oord et al., ICML 2016"
    ),
    "nll_nats_importance_64": Entry(
        "Minus the importance-weighted bound, 64 codes a picture", "nats", False, "Burda et al., ICLR 2016, Eq. 8"
    ),
    "r_precision": Entry(
        "How often a picture finds its own words among 99 mismatched", "", True, "Xu et al., CVPR 2018, section 4"
    ),
}

_OBJECTS, _RELATIONS = "El-Nouby et al., ICCV 2019, and their released code", "El-Nouby et al., ICCV 2019, section 4.2"
AGAINST = {"": "what the detector finds in the true pictures", "_labels": "the true labels"}
"""What is found in a drawing is compared with two things; the ending of a metric's name says with which."""
METRICS |= {
    f"{name}{ending}": Entry(summary, "", True, source, heading, f"objects and relations, against {truth}")
    for ending, truth in AGAINST.items()
    for name, heading, summary, source in (
        ("object_precision", "P", "Of the objects found in a drawing, the share that should be there", _OBJECTS),
        ("object_recall", "R", "Of the objects that should be there, the share that is found", _OBJECTS),
        ("object_f1", "F1 samples", "F1 of each drawing, averaged over drawings", _OBJECTS),
        ("object_f1_harmonic", "F1 harmonic", "Harmonic mean of the averages of P and R: GeNeVA's F1", _OBJECTS),
        ("relations", "RSIM", "Relational similarity: share of right relations, times recall", _RELATIONS),
    )
}

ROWS = {
    "free-running": "each turn repaints the drawer's own last canvas: what a user sees",
    "teacher-forced": "each turn repaints the true canvas before it: errors do not add up",
    "copy the previous true canvas": "no drawer: the true canvas before the turn, as if the instruction was ignored",
    "background only": "no drawer: the canvas before the first turn",
    "true pictures": "no drawer: the true picture itself, the ceiling of every score",
}
"""What is scored, in the order of the table, and what that means."""
