"""Figures of a style encoder: does it know backgrounds and poses, does it find z again, does the background stay.

For `telldraw evaluate`, after Reed et al., ICML 2016 (arXiv:1605.05396), Sec. 4.4, 5.2 and 5.3; the equations are in
`metrics/style.py`. S is the style encoder, G what draws: G(z, t) from noise z and a caption t.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.commands import depiction, reading
from telldraw.commands.picture_evaluation import Figure, Job, progress
from telldraw.commands.picture_sheets import noises
from telldraw.metrics.style import CLUSTERS, FOLDS, RATES, Same, clusters, correlation, frame, same_style
from telldraw.systems import load as load_system

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL import Image

    from telldraw.data.collection import Collection
    from telldraw.weights import Loaded

OF_EACH = 5
"""Pictures of a cluster, at least, on average: with fewer pictures there are fewer than the paper's 100 clusters."""
SHOWN = ("background", "pose")
"""The labels of the paper's figure."""
S = "style encoder"
"""Whose vectors are measured."""
_TOGETHER = 64


class Label(NamedTuple):
    """What is known of the style of some pictures."""

    values: Tensor  # [N, F], to be clustered
    own: Tensor  # [N] int64, which of the pictures: places among the rows
    what: str


def labels(collection: "Collection", rows: Sequence[int]) -> dict[str, Label]:
    """What is known of the style of the pictures of `rows`: the background of any, more where a table says so."""
    whole, places = torch.ones(len(rows), dtype=torch.bool), torch.arange(len(rows))
    seen = frame(torch.from_numpy(collection.images[list(rows)])) / 255
    found = {"background": Label(seen, places, "mean colour of the picture's outermost pixels")}
    table, content = collection.tables.get("style"), collection.tables.get("content")
    if table is None:
        return found
    known = {name: torch.from_numpy(table.of(name)[list(rows), 0]).double() for name in table.columns}
    one = known["across 2"].isnan() if "across 2" in known else whole
    cube = ~whole
    if content is not None and "shape 1" in content.columns:
        cube = one & torch.from_numpy(content.of("shape 1")[list(rows), 0] == 0)
    for name, columns, own, what in (
        ("floor", ("floor red", "floor green", "floor blue"), whole, "the floor's true colour, before any light"),
        ("pose", ("across 1", "down 1"), one, "place of the solid, where there is only one"),
        ("camera", ("camera height", "camera distance"), whole, "height and distance of the camera"),
        ("turn", ("camera azimuth",), cube, "how a cube is turned (the camera's azimuth mod 90), where it is alone"),
        ("light", ("lamp right", "lamp behind", "lamp up"), whole, "where the light comes from"),
    ):
        if not set(columns) <= set(known) or not own.any():
            continue
        values = torch.stack([known[column] for column in columns], 1)
        if name == "camera":  # degrees, and units of the stage
            values = values / values.std(0).clamp(min=1e-9)
        if name == "turn":  # the same after a quarter turn
            values = torch.cat([torch.deg2rad(4 * values).cos(), torch.deg2rad(4 * values).sin()], 1)
        found[name] = Label(values[own], places[own], what)
    return found


class Score(NamedTuple):
    """How well vectors tell same from different styles, of one label."""

    label: Label
    clusters: int
    by: dict[str, Same]
    """Whose vectors: those given, and "the label itself", less its mean."""


def scores(vectors: Mapping[str, Tensor], known: Mapping[str, Label], *, seed: int = 0) -> dict[str, Score]:
    """The ROC of each of `vectors` [N, D] for each label; labels with too few pictures are left out."""
    found = {}
    for name, label in known.items():
        count = min(CLUSTERS, len(label.own) // OF_EACH)
        if count < 2:
            continue
        each = {who: vector[label.own] for who, vector in vectors.items()}
        each["the label itself"] = label.values - label.values.mean(0)
        try:
            cluster = clusters(label.values, count, seed=seed)
            by = {who: same_style(vector, cluster, seed=seed) for who, vector in each.items()}
        except ValueError:  # not known of all, or no pairs
            continue
        found[name] = Score(label, len(cluster.unique()), by)
    return found


@torch.inference_mode()
def styles(system: Any, images: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """S in parts: pictures [N, C, H, W] in [-1, 1] -> [N, Z], on the processor."""
    return torch.cat([system.style(part.to(device)).float().cpu() for part in images.split(_TOGETHER)])


def of_pictures(
    system: Any, collection: "Collection", rows: Sequence[int], *, device: torch.device | str = "cpu"
) -> Tensor:
    """S of true pictures, [N, Z]."""
    parts = [list(rows[at : at + _TOGETHER]) for at in range(0, len(rows), _TOGETHER)]
    images = (pixels.to_float(torch.from_numpy(collection.images[part])) for part in parts)
    return torch.cat([styles(system, image, device) for image in images])


def compared(
    loaded: "Loaded", collection: "Collection", rows: Sequence[int], *, seed: int = 0, device: str = "cpu"
) -> dict[str, Tensor]:
    """Vectors [N, ...] of the pictures of `rows`, by whose they are: S's, and those of who should not know."""
    system: Any = loaded.system
    reader = reading.attach(loaded, device)
    said = [collection.captions(row)[0] for row in rows]
    parts = [reader.read(said[at : at + _TOGETHER], device).cpu() for at in range(0, len(said), _TOGETHER)]
    z = of_pictures(system, collection, rows, device=device)
    return {
        S: z,
        "captions": torch.cat(parts),
        "untrained": of_pictures(_untrained(loaded, seed).to(device), collection, rows, device=device),
        "random": torch.randn(z.shape, generator=torch.Generator().manual_seed(seed)),
    }


def _untrained(loaded: "Loaded", seed: int) -> Any:
    """The same system with random weights; its batch norm takes the statistics of the pictures at hand."""
    config: Any = loaded.system.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return load_system(loaded.card["system"]).System(config).train()


def measured(job: Job) -> dict[str, Figure]:
    """All figures of a style encoder, the ROC and a sheet of transfers."""
    system: Any = job.loaded.system
    collection, device, seed = job.collection, job.options.device, job.options.seed
    rows = [row for row in job.rows if collection.captions(row)]
    if len(rows) < 2 * FOLDS:
        about = (
            f"{len(rows)} pictures with captions are too few: {2 * FOLDS} at least; raise --limit, or another --split"
        )
        return {"style_auc": Figure("not measured", about)}
    with progress("of style", 3 * len(rows)) as tell:
        vectors = compared(job.loaded, collection, rows, seed=seed, device=device)
        z, text = vectors[S], vectors["captions"]
        tell(len(rows))
        found = scores(vectors, labels(collection, rows), seed=seed)
        figures = _areas(found)
        job.tables[f"area under the ROC of pairs in one style; mean and deviation over {FOLDS} folds"] = table(found)
        if found:
            job.sheets["style-roc"] = roc_sheet({"": found})
        figures |= inversion(system, text, seed=seed, device=device)
        tell(2 * len(rows))
        figures |= transfers(system, collection, rows, z, text, seed=seed, device=device)
        tell(3 * len(rows))
    some = [rows[n] for n in np.linspace(0, len(rows) - 1, min(12, len(rows))).round().astype(int)]
    own, said = some[::2], [collection.captions(row)[0] for row in some[1::2]]
    images = pixels.to_float(torch.from_numpy(collection.images[own]))
    drawn = depiction.in_styles(system, images, said, device=device)
    job.sheets["transfer"] = depiction.style_sheet(images, said, drawn, aspect=job.loaded.card.get("aspect", 1.0))
    return figures


def _areas(found: Mapping[str, Score]) -> dict[str, Figure]:
    """The area of each label and, for those of SHOWN, what it is worth: the areas of others."""
    figures = {}
    for name, score in found.items():
        pairs = score.by[S].pairs
        about = f"{score.label.what}: {len(score.label.own):,} pictures, {score.clusters} clusters, {pairs:,} pairs"
        for who, what in (
            (S, f"area under the ROC of the cosine of S(x), ± its deviation over {FOLDS} folds; {about}"),
            ("captions", "the same of their captions, which should not know"),
            ("untrained", "the same of an S with random weights: what any network sees"),
            ("random", "the same of random numbers"),
        ):
            if who != S and name not in SHOWN:
                continue
            deviation = None if math.isnan(score.by[who].deviation) else score.by[who].deviation
            ending = "" if who == S else f"_{who}"
            figures[f"style_auc_{name}{ending}"] = Figure(score.by[who].mean, what, deviation)
    return figures


def table(found: Mapping[str, Score]) -> list[list[str]]:
    """Rows for a report: a label each, and whose vectors in columns."""
    if not found:
        return [["label"]]
    who = list(next(iter(found.values())).by)
    rows = [["label", *who, "pictures", "clusters", "what it is"]]
    for name, score in found.items():
        areas = [f"{each.mean:.3f} ± {each.deviation:.3f}" for each in score.by.values()]
        rows.append([name, *areas, f"{len(score.label.own):,}", str(score.clusters), score.label.what])
    return rows


@torch.inference_mode()
def inversion(system: Any, text: Tensor, *, seed: int = 0, device: torch.device | str = "cpu") -> dict[str, Figure]:
    """How near S(G(z, t)) is to z, a drawing for each caption's vector [N, D]: Eq. 6, and correlations."""
    z = noises(seed, len(text), system.noise_dim)
    drawn = depiction.depict(system, z.to(device), text.to(device))
    again = styles(system, drawn, device)
    squares = (again - z).square().mean(1)
    by_number = correlation(again, z)
    return {
        "style_inversion": Figure(
            float(squares.mean()),
            f"mean of (S(G(z, t)) - z)^2 over {z.shape[1]} numbers and {len(z):,} drawings; 1: S knows nothing of z",
            float(squares.std()) / len(z) ** 0.5,
        ),
        "style_correlation": Figure(
            float(by_number.mean()),
            f"correlation of S(G(z, t)) and z, mean over {z.shape[1]} numbers; least {float(by_number.min()):.2f}, "
            f"most {float(by_number.max()):.2f}",
        ),
    }


def transfers(
    system: Any,
    collection: "Collection",
    rows: Sequence[int],
    z: Tensor,
    text: Tensor,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> dict[str, Figure]:
    """Whether G(S(x), t') has the background of x; t' is the caption of another picture of `rows`, nobody's own.

    z [N, Z] = S of the pictures, text [N, D] of their captions. Distances of mean colours of frames, colours 0 to 1.
    """
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    told, other = order.roll(1), order.roll(2)
    drawn = depiction.depict(system, z[order].to(device), text[told].to(device))
    seen = frame(drawn.clamp(-1, 1)) / 2 + 0.5
    true = frame(torch.from_numpy(collection.images[list(rows)])) / 255
    kept, chance, apart = (
        (one - two).norm(dim=1) for one, two in ((seen, true[order]), (seen, true[other]), (true[order], true[other]))
    )
    what = "between the mean colours (0 to 1) of the outermost pixels"

    def error(values: Tensor) -> float:
        return float(values.std()) / len(values) ** 0.5

    return {
        "transfer_background": Figure(
            float(kept.mean()),
            f"distance {what} of x and of G(S(x), t'), {len(rows):,} pictures x, t' of others",
            error(kept),
        ),
        "transfer_background_chance": Figure(
            float(chance.mean()), "the same, of x and of what was drawn in another's style", error(chance)
        ),
        "transfer_background_true": Figure(
            float(apart.mean()), "the same, of two true pictures that have nothing to do with each other", error(apart)
        ),
    }


# --- the figure -----------------------------------------------------------------------------------------------------


def roc_sheet(runs: Mapping[str, Mapping[str, Score]]) -> "Image.Image":
    """The curves of Fig. 5: a panel for each label of SHOWN, a curve for each run, and who should not know."""
    from matplotlib.figure import Figure as Sheet

    from telldraw.commands.plotting import look, picture

    first = next(iter(runs.values()))
    shown = [name for name in SHOWN if name in first]
    with look():
        sheet = Sheet(figsize=(5.2 * len(shown), 5.2), dpi=100, layout="constrained")
        for panel, name in zip(np.atleast_1d(sheet.subplots(1, len(shown))), shown, strict=True):
            _panel(panel, name, {run: found[name] for run, found in runs.items() if name in found})
        return picture(sheet)


def _panel(axes: "Axes", name: str, runs: Mapping[str, Score]) -> None:
    from telldraw.commands.plotting import BLUE, FAINT, GREEN, INK, ORANGE, RED

    first = next(iter(runs.values()))
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.7, linestyle=(0, (4, 4)), label="chance: 0.500")
    for who, style in (("captions", "-"), ("untrained", (0, (1, 1)))):
        other = first.by[who]
        axes.plot(RATES, other.curve, color=INK, linewidth=1.2, linestyle=style, label=f"{who}: {other.mean:.3f}")
    for (run, score), colour in zip(runs.items(), [BLUE, ORANGE, GREEN, RED] * len(runs), strict=False):
        same = score.by[S]
        axes.plot(RATES, same.curve, color=colour, linewidth=2.2, label=f"{run or S}: {same.mean:.3f}")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    axes.legend(frameon=False, loc="lower right", fontsize=9.5, title="area under the curve", title_fontsize=9.5)
    axes.set_title(f"{name}: {first.label.what}", loc="left", fontsize=10.5, pad=12)
