"""Who judges faces, and how what was judged becomes lines of a report; for `face_evaluation` and `face_edits`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from telldraw import pixels
from telldraw.commands import generation, guided, steering
from telldraw.commands.picture_evaluation import Figure, Job
from telldraw.data.face_words import asked as asked_in
from telldraw.metrics import faces, perceptual
from telldraw.metrics.classification import each_class, logits_of
from telldraw.metrics.perceptual import Perceptual

if TYPE_CHECKING:
    from telldraw.weights import Loaded

TOLD = 0.75
"""Balanced accuracy from which a judge's word on an attribute counts; 1/2 is guessing."""
_TOGETHER = 256


@dataclass
class Judge:
    """A classifier of attributes, and the distance in which pictures are compared."""

    job: Job
    loaded: "Loaded"
    distance: Perceptual
    kind: str
    """What figures in this distance are called: lpips in its own features alone."""
    known: Tensor | None = None
    """[K] bool: attributes that it can tell on true pictures; the others are neither asked nor counted. None: all."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the K attributes."""
        return self.job.collection.classes

    @torch.inference_mode()
    def probability(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W] in [-1, 1] -> [N, K]."""
        return self._in_parts("classify", images).sigmoid()

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W] in [-1, 1] -> [N, D]."""
        return self._in_parts("features", images)

    def _in_parts(self, what: str, images: Tensor) -> Tensor:
        function, device = getattr(self.loaded.system, what), self.job.options.device
        return torch.cat([function(part.to(device)).float().cpu() for part in images.split(_TOGETHER)])

    @torch.inference_mode()
    def apart(self, x: Tensor, y: Tensor) -> Tensor:
        """The distance of pairs of pictures, both [N, 3, H, W] in [-1, 1] -> [N], on the processor."""
        device = self.job.options.device
        pairs = zip(x.split(_TOGETHER), y.split(_TOGETHER), strict=True)
        return torch.cat([self.distance(a.to(device), b.to(device)).cpu() for a, b in pairs])

    def asked(self, wanted: Sequence[dict[str, bool]]) -> Tensor:
        """What texts ask for, as rows of 1, 0 and -1: [N, K] int64. What the judge cannot tell is left out."""
        told = [True] * len(self.names) if self.known is None else self.known.tolist()
        place = {name: number for number, name in enumerate(self.names) if told[number]}
        rows = torch.full((len(wanted), len(self.names)), -1, dtype=torch.int64)
        for row, each in enumerate(wanted):
            for name, there in each.items():
                if name in place:
                    rows[row, place[name]] = int(there)
        return rows

    def spared(self, asked: Tensor) -> Tensor:
        """What counts as no interference: what the asked attribute decides, and what the judge cannot tell."""
        spared = faces.spared_by(asked, self.names)
        return spared if self.known is None else spared | ~self.known


def chosen(job: Job) -> Judge | None:
    """The judge named or at hand for these pictures, and the distance: LPIPS where its weights are given."""
    loaded = generation.chosen(job.options.classifier, job.collection, job.options.device)
    if loaded is None:
        return None
    if job.options.lpips is not None:
        judge = Judge(job, loaded, perceptual.of_lpips(job.options.lpips).to(job.options.device), "lpips")
    else:
        judge = Judge(job, loaded, perceptual.of_system(loaded.system, loaded.name), "perceptual")
    judge.known = _told(judge)
    return judge


def _told(judge: Judge) -> Tensor:
    """[K] bool: attributes of which the judge is right often enough on the true pictures of the split.

    What it cannot tell it always answers alike: counted, that would make edits seem to disturb less than they do.
    """
    job, system = judge.job, judge.loaded.system
    seen: Any = logits_of(system, job.collection.images, job.rows, device=job.options.device)  # type: ignore[arg-type]
    balanced = each_class(seen, torch.from_numpy(job.collection.labels[list(job.rows)])).balanced
    return balanced >= TOLD  # an attribute that all have, or none, is no number and not told


def about(judge: Judge) -> dict[str, Figure]:
    """Which attributes count at all."""
    if judge.known is None:
        return {}
    left = [name for name, told in zip(judge.names, judge.known.tolist(), strict=True) if not told]
    what = f"of {len(judge.names)} attributes: those of which {judge.loaded.name} has a balanced accuracy of at least "
    what += f"{TOLD:.2f} on true {judge.job.options.split} pictures; not counted: {', '.join(left) or 'none'}"
    return {"judged_attributes": Figure(float(len(judge.names) - len(left)), what)}


def said_in(text: str) -> dict[str, bool]:
    """What a caption asks for; nouns for the person count."""
    return asked_in(text)


def share(found: faces.Share, what: str) -> Figure:
    """A share as a line of the report; where nothing was asked, it says so."""
    if not found.of:
        return Figure("not measured", f"{what}: nothing of the kind was asked")
    return Figure(found.value, f"{what}; {found.of:,} answers", found.error)


def mean(values: Tensor, what: str) -> Figure:
    """A mean over pictures [N], those that are no number left out and counted."""
    kept = values[~values.isnan()].double()
    if not len(kept):
        return Figure("not measured", f"{what}: there is no such picture")
    error = float(kept.std() / len(kept) ** 0.5) if len(kept) > 1 else None
    return Figure(float(kept.mean()), f"{what}, mean of {len(kept):,}", error)


def percent(value: float) -> str:
    """A cell of a table; empty where there is no number."""
    return "" if value != value else f"{100 * value:.1f}"


def pictures(job: Job, rows: Sequence[int]) -> Tensor:
    """True pictures [N, 3, H, W] in [-1, 1]."""
    return pixels.to_float(torch.from_numpy(job.collection.images[list(rows)]))


@torch.inference_mode()
def coded(system: Any, kind: str, given: Tensor, device: str) -> Tensor:
    """What is given, in parts -> code [N, L, C] on its device (`Guided.code_of`)."""
    return torch.cat([system.code_of(kind, part.to(device)) for part in given.split(_TOGETHER)])


@torch.inference_mode()
def synthesised(system: Any, code: Tensor) -> Tensor:
    """Draw codes [N, L, C] -> [N, 3, H, W] in [-1, 1] on the processor."""
    return guided.synthesised(system, code)


def words_of(job: Job, texts: Sequence[str]) -> Tensor:
    """Texts as word numbers [N, T]."""
    return steering.words_of(job.loaded, texts)
