"""Figures of what draws from captions: is what they say there, is it told apart from what others say, is it varied.

For `telldraw evaluate`; each caption is drawn once, the equations are in `metrics`. Who judges: a classifier of the
kinds of solid (CLEVR birds) for what is there, and a text encoder with a side for pictures for R-precision.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.commands import depiction, obedience, reading
from telldraw.commands.generation import critic
from telldraw.commands.picture_evaluation import Figure, Job, progress
from telldraw.commands.picture_sheets import noises
from telldraw.commands.ranking import r_precision
from telldraw.drawing.sheet import contact_sheet
from telldraw.errors import DataError, WeightsError
from telldraw.metrics import conditional
from telldraw.text import normalise

if TYPE_CHECKING:
    from telldraw.weights import Loaded

NONE = "none"
_TOGETHER = 100
_VARIED, _EACH = 100, 8  # captions drawn several times, and how often


class Asked(NamedTuple):
    """Captions, the pictures they were written of, and what was drawn for them."""

    captions: list[str]
    text: Tensor  # [N, D]
    true: Tensor  # [N, C, H, W] in [-1, 1]
    drawn: Tensor  # [N, C, H, W] in [-1, 1]


def depicting(job: Job) -> dict[str, Figure]:
    """All figures of a system that is TextToImage, and a sheet of what it drew."""
    system: Any = job.loaded.system
    reader = reading.attach(job.loaded, job.options.device)
    judge, ranker = _judge(job), _ranker(job, reader)  # who is refused, is before the drawing
    asked = _draw(job)
    page = depiction.sheet(system, job.collection, job.rows, device=job.options.device)
    job.sheets["captions"] = contact_sheet(page)
    figures = _obeyed(job, asked, judge)
    figures |= _retrieved(job, asked, reader, ranker) | _varied(job, asked) | _matched(job)
    return figures


@torch.inference_mode()
def _draw(job: Job) -> Asked:
    """One caption of each picture of the split, by `--seed`, drawn once."""
    system: Any = job.loaded.system
    rng, device = np.random.default_rng(job.options.seed), job.options.device
    rows = [row for row in job.rows if job.collection.captions(row)][: job.options.samples]
    if not rows:
        raise DataError(f"the pictures of {job.collection.path} have no captions to draw from")
    captions = [str(rng.choice(job.collection.captions(row))) for row in rows]
    noise = noises(job.options.seed, len(rows), system.noise_dim, device)
    parts: list[Tensor] = []
    texts: list[Tensor] = []
    with progress("drawn", len(rows)) as tell:
        for at in range(0, len(rows), _TOGETHER):
            texts.append(system.reader.read(captions[at : at + _TOGETHER], device))
            parts.append(depiction.depict(system, noise[at : at + _TOGETHER], texts[-1]))
            tell(min(at + _TOGETHER, len(rows)))
    drawn = torch.cat(parts)
    return Asked(captions, torch.cat(texts), _pictures(job, rows), drawn)


def _pictures(job: Job, rows: list[int] | range) -> Tensor:
    return pixels.to_float(torch.from_numpy(job.collection.images[list(rows)]))


def _obeyed(job: Job, asked: Asked, judge: "Loaded | None") -> dict[str, Figure]:
    """What a judge finds in the drawings of what their captions say."""
    if judge is None:
        return {"obeyed": Figure("not measured", "no judge; name a classifier with --classifier")}
    train = job.collection.split("train")[: len(asked.drawn)]
    return obedience.measured(
        judge, asked.drawn, asked.captions, true=asked.true, train=_pictures(job, train), warnings=job.warnings
    )


def _judge(job: Job) -> "Loaded | None":
    """The classifier that was named, or the one at hand for this kind of pictures. Raises WeightsError."""
    from telldraw import weights
    from telldraw.data.clevr_birds import KINDS

    given, device = job.options.classifier, job.options.device
    if given == NONE:
        return None
    if given is not None:
        judge = weights.load(weights.find(given), device)
        obedience.check(judge)
        _check_size("--classifier", given, judge.system.config, job)
        return judge
    wanted = "classifier", job.collection.name, job.collection.resolution, list(KINDS)
    for folder in weights.at_hand().values():
        about = weights.card(folder)
        if tuple(about.get(key) for key in ("system", "data", "resolution", "classes")) == wanted:
            return weights.load(folder, device)
    return None


def _ranker(job: Job, reader: reading.Reader) -> reading.Reader:
    """Who ranks captions: the text encoder that was named, or the drawer's own. Raises WeightsError: none for these."""
    given = job.options.retriever
    if given is None:
        return reader
    judge = reading.load(given, job.options.device)
    if judge.system.config.pairs == "pictures":
        _check_size("--retriever", given, judge.system.config, job)
    return judge


def _check_size(flag: str, given: str, config: Any, job: Job) -> None:
    """Raise WeightsError when a judge takes pictures of another size than those that are drawn."""
    side = job.collection.resolution
    if config.resolution != side:
        raise WeightsError(
            f"{flag} {given} looks at pictures of {config.resolution}x{config.resolution} pixels, and these have "
            f"{side}x{side}; name one that was trained on such"
        )


@torch.inference_mode()
def _retrieved(job: Job, asked: Asked, reader: reading.Reader, judge: reading.Reader) -> dict[str, Figure]:
    """R-precision of the drawings and of the true pictures, by a text encoder that also looks at pictures."""
    if judge.system.config.pairs != "pictures":
        return {"r_precision": Figure("not measured", f"{judge.name} does not look at pictures; name a --retriever")}
    device = job.options.device
    text = asked.text if judge is reader else torch.cat([judge.read(part, device) for part in _parts(asked.captions)])
    pictures = {"r_precision": (asked.drawn, "drawings"), "r_precision_true": (asked.true, "pictures")}
    seen = {
        name: (
            torch.cat([judge.system.embed_pictures(part.to(device)).float().cpu() for part in each.split(500)]),
            what,
        )
        for name, (each, what) in pictures.items()
    }
    return r_precision(seen, text.cpu(), list(map(_plain, asked.captions)), judge.name)


def _plain(caption: str) -> str:
    return " ".join(normalise(caption))


def _parts(captions: list[str]) -> list[list[str]]:
    return [captions[at : at + _TOGETHER] for at in range(0, len(captions), _TOGETHER)]


@torch.inference_mode()
def _varied(job: Job, asked: Asked) -> dict[str, Figure]:
    """How different drawings of one caption are, beside any two true pictures: near 0, the noise means nothing."""
    system: Any = job.loaded.system
    text = asked.text[:_VARIED].repeat_interleave(_EACH, 0)
    noise = noises(job.options.seed + 1, len(text), system.noise_dim, job.options.device)
    drawn = depiction.depict(system, noise, text).unflatten(0, (-1, _EACH)) / 2
    true = asked.true / 2
    return {
        "caption_spread": Figure(
            float(drawn.std(1).mean()), f"deviation of a pixel, 0 to 1, among {_EACH} drawings of one caption"
        ),
        "spread_true": Figure(float(true.std(0).mean()), f"the same among all true {job.options.split} pictures"),
    }


@torch.inference_mode()
def _matched(job: Job) -> dict[str, Figure]:
    """How often D tells a true picture's own text from one that does not describe it (pitfall: plain GANs do not)."""
    judge, system = critic(job), cast("Any", job.loaded.system)
    if judge is None:
        return {}
    from telldraw.data.caption_loader import CaptionLoader
    from telldraw.data.text_loader import TextLoader

    config, known = system.config, system.reader
    size = min(_TOGETHER, len(job.rows))
    captioned = CaptionLoader(
        job.collection, job.options.split, size, mismatch=config.mismatch, vocabulary=known.vocabulary
    )
    loader, device = TextLoader(captioned, known.embed), job.options.device
    right, wrong = [], []
    for step in range(len(captioned)):
        batch = loader.batch(step)
        image = pixels.to_float(batch.image).to(device)
        right.append(judge.judge(image, batch.text.to(device)).cpu())
        wrong.append(judge.judge(image, batch.wrong_text.to(device)).cpu())
    share = conditional.auc(torch.cat(right), torch.cat(wrong))
    about = (
        f"share of pairs in which D puts a true {job.options.split} picture with its text above one with a wrong text"
    )
    return {"auc_wrong_text": Figure(share, about + " (AUC)")}
