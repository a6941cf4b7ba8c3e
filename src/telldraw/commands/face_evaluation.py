"""Figures of systems that read texts, sketches, regions and pictures (`Guided`), for `telldraw evaluate`.

Here: faces drawn for texts. Edits, and pictures found again, are in `face_edits`; the equations in `metrics/faces.py`,
what each figure is in docs/faces-evaluation.md.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.commands import face_edits, steering
from telldraw.commands.face_judging import (
    Judge,
    about,
    chosen,
    coded,
    mean,
    percent,
    pictures,
    said_in,
    share,
    synthesised,
)
from telldraw.commands.face_judging import words_of as words_of_texts
from telldraw.commands.guided import TRUNCATION, mean_of
from telldraw.commands.picture_evaluation import Figure, Job, frechet, progress
from telldraw.commands.picture_sheets import noises
from telldraw.commands.ranking import r_precision
from telldraw.drawing.sheet import Frame, Strip, contact_sheet, enlarge
from telldraw.metrics import faces
from telldraw.metrics.published import FACES, FACES_NOTE

TEXTS = 512
"""Captions that are drawn, one of each of the first so many pictures of the split."""
_CLOSE, _EACH = 100, 4  # captions drawn several times, and how often
_SHIFTS = 8  # other captions' drawings by which chance is measured
_TOGETHER, _SHOWN, _WIDTH = 64, 8, 96


class Drawn(NamedTuple):
    """Captions, and what was drawn for them."""

    captions: list[str]
    asked: Tensor  # [N, K] int64: 1, 0, -1
    text: Tensor  # [N, L, C], the texts' codes
    code: Tensor  # [N, L, C], what is drawn: faces imagined for them
    replaced: Tensor  # [N, L, C], the paper's way: the texts' codes in the layers of what is asked, noise in the others
    image: Tensor  # [N, 3, H, W]
    true: Tensor  # [N, 3, H, W]


def guiding(job: Job) -> dict[str, Figure]:
    """All figures that what the system reads so far allows."""
    system: Any = job.loaded.system
    judge = chosen(job)
    if judge is None:
        return {"faces": Figure("not measured", "no judge of attributes; name a classifier with --classifier")}
    figures = about(judge)
    image, _, _, text = (bool(each) for each in system.ready)
    if text:
        figures |= texts(judge)
    if image:
        figures |= face_edits.read(judge) | face_edits.inverted(judge)
    if image and text:
        figures |= face_edits.edits(judge)
    return figures


def texts(judge: Judge) -> dict[str, Figure]:
    """Faces drawn for captions: is what they ask there, are they near true ones, varied, and told apart."""
    job = judge.job
    rows = [row for row in job.rows if job.collection.captions(row)][:TEXTS]
    if not rows:
        return {"asked": Figure("not measured", f"the pictures of {job.collection.path} have no captions")}
    drawn = _draw(judge, rows)
    figures = _obeyed(judge, drawn) | _distances(judge, drawn) | _spread(judge, drawn) | _ranked(judge, drawn)
    frechet, real = figures["frechet_texts"].value, figures[f"{judge.kind}_to_real"].value
    job.tables[f"beside the published figures; {FACES_NOTE}"] = [
        ["faces by text", "FID; ours: Fréchet, the judge's features", f"LPIPS; ours: {judge.kind}_to_real"],
        [f"ours: {job.loaded.name}", f"{frechet:.2f}", f"{real:.3f}"],
        *([method, f"{fid:.2f}", f"{lpips:.3f}"] for method, fid, lpips in FACES),
    ]
    return figures


def layers_of(job: Job, captions: list[str]) -> Tensor:
    """[N, L, 1] bool: the layers of what each caption asks, by the table of the weights."""
    system: Any = job.loaded.system
    table = steering.table_of(job.loaded, None)
    mask = torch.zeros(len(captions), system.layers, 1, dtype=torch.bool, device=job.options.device)
    for row, caption in enumerate(captions):
        mask[row, list(steering.layers_for(said_in(caption), table, system.layers))] = True
    return mask


@torch.inference_mode()
def _codes(job: Job, captions: list[str], seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """The texts' codes [N, L, C]; faces imagined for them; and with noise in other layers (Xia et al. 2021, 3.3)."""
    system: Any = job.loaded.system
    text = coded(system, "text", words_of_texts(job, captions), job.options.device)
    z = noises(seed, len(captions), system.noise_dim, job.options.device)
    noise = torch.cat([system.map(part) for part in z.split(_TOGETHER)])
    middle = mean_of(system)
    moves, beside = steering.Moves(job.loaded, steering.table_of(job.loaded, None)), noise - middle
    code = torch.cat([
        moves.imagined(text[row : row + 1], said_in(caption), beside[row : row + 1])
        for row, caption in enumerate(captions)
    ])  # fmt: skip
    free = middle + TRUNCATION * beside
    return text, code, torch.where(layers_of(job, captions), text, free)


def _draw(judge: Judge, rows: list[int]) -> Drawn:
    job, system = judge.job, judge.job.loaded.system
    rng = np.random.default_rng(job.options.seed)
    captions = [str(rng.choice(job.collection.captions(row))) for row in rows]
    text, code, replaced = _codes(job, captions, job.options.seed)
    parts: list[Tensor] = []
    with progress("drawn for texts", len(rows)) as tell:
        for at in range(0, len(rows), _TOGETHER):
            parts.append(synthesised(system, code[at : at + _TOGETHER]))
            tell(min(at + _TOGETHER, len(rows)))
    asked = judge.asked([said_in(caption) for caption in captions])
    return Drawn(captions, asked, text, code, replaced, torch.cat(parts), pictures(job, rows))


def _obeyed(judge: Judge, drawn: Drawn) -> dict[str, Figure]:
    """Is what is asked there: of drawings, of other texts' drawings, of true pictures, of the texts' codes alone."""
    job, name = judge.job, judge.loaded.name
    seen, true = judge.probability(drawn.image), judge.probability(drawn.true)
    alone = judge.probability(synthesised(job.loaded.system, drawn.text))
    replaced = faces.asked_right(judge.probability(synthesised(job.loaded.system, drawn.replaced)), drawn.asked)
    shifts = torch.linspace(1, len(seen) - 1, min(_SHIFTS, len(seen) - 1)).round().long().tolist()
    found = faces.asked_right(seen, drawn.asked)
    own = faces.asked_right(true, drawn.asked)
    chance = faces.asked_right(
        torch.cat([seen.roll(shift, 0) for shift in shifts] or [seen[:0]]), drawn.asked.repeat(len(shifts), 1)
    )
    answers = (found, replaced, chance, own)
    what = f"of what {len(seen):,} captions ask {name} finds"
    job.tables["what captions ask and the judge finds, in percent"] = [
        ["attribute", "asked", "drawings", "replaced", "other drawings", "true pictures"],
        *(
            [attribute, str(int(found.of_each[k])), *(percent(float(each.each[k])) for each in answers)]
            for k, attribute in enumerate(judge.names)
            if found.of_each[k]
        ),
    ]
    table = "measured" if job.loaded.card.get("layers") else "all layers for all"
    return {
        "asked": share(found, f"share {what} in faces imagined for them (table: {table})"),
        "asked_replace": share(replaced, f"share {what} with noise in the layers not asked for, as in the paper"),
        "asked_chance": share(chance, f"share {what} in drawings for other captions"),
        "asked_true": share(own, f"share {what} in their true pictures: the ceiling"),
        "asked_text_alone": share(
            faces.asked_right(alone, drawn.asked), f"share {what} when the texts' codes have all layers, without noise"
        ),
    }


def _distances(judge: Judge, drawn: Drawn) -> dict[str, Figure]:
    """Fréchet distances in the judge's features."""
    job = judge.job
    real = judge.features(pictures(job, job.rows))
    train = pictures(job, job.collection.split("train")[: len(drawn.image)])
    return {
        "frechet_texts": frechet(real, judge.features(drawn.image), "drawings for texts", job.warnings),
        "frechet_texts_floor": frechet(real, judge.features(train), "training pictures", job.warnings),
    }


def _spread(judge: Judge, drawn: Drawn) -> dict[str, Figure]:
    """Near the real picture of the same text, and varied: two figures, each beside what it is by chance."""
    job, kind = judge.job, judge.kind
    captions = drawn.captions[:_CLOSE]
    repeated = [caption for caption in captions for _ in range(_EACH)]
    _, code, _ = _codes(job, repeated, job.options.seed + 1)
    several = synthesised(job.loaded.system, code).unflatten(0, (-1, _EACH))
    job.sheets["texts"] = contact_sheet(_sheet(judge, drawn, several))
    real = drawn.true[:_CLOSE]
    close = faces.to_real(judge.apart, several, real)
    figures = {f"{kind}_to_real": mean(close, f"{judge.distance.name}: {_EACH} drawings to the real picture; lower")}
    if len(real) > 1:
        other = faces.to_real(judge.apart, several, real.roll(1, 0))
        figures[f"{kind}_to_real_chance"] = mean(other, "the same to the real picture of another text")
        apart = judge.apart(real, real.roll(1, 0))
        figures[f"{kind}_diversity_real"] = mean(apart, "the same distance between real pictures of different texts")
    varied = faces.among(judge.apart, several)
    figures[f"{kind}_diversity"] = mean(varied, f"{judge.distance.name}: among {_EACH} drawings of a text; higher")
    return figures


def _ranked(judge: Judge, drawn: Drawn) -> dict[str, Figure]:
    """R-precision by the judge's attributes, by the system's own codes, and by a text encoder where one is named."""
    job = judge.job
    system: Any = job.loaded.system
    said = [tuple(row) for row in drawn.asked.tolist()]

    def by(name: str, embed: Callable[[Tensor], Tensor], text: Tensor, whose: str) -> dict[str, Figure]:
        sets = {name: (embed(drawn.image), "drawings"), f"{name}_true": (embed(drawn.true), "pictures")}
        return r_precision(sets, text, said, whose)

    def coded_as(code: Tensor) -> Tensor:
        return (code - system.mean).flatten(1).float().cpu()

    wanted = torch.where(drawn.asked < 0, 0, 2 * drawn.asked - 1).float()  # 1, -1, and 0 where nothing is said
    whose = f"what {judge.loaded.name} sees and the captions ask"
    found = by("r_precision_judge", lambda images: 2 * judge.probability(images) - 1, wanted, whose)
    if bool(system.ready[0]):
        embed = partial(coded, system, "image", device=job.options.device)
        own = "the codes of its own encoders, which flatter"
        found |= by("r_precision_codes", lambda images: coded_as(embed(images)), coded_as(drawn.text), own)
    if job.options.retriever is None:
        return found | {"r_precision": Figure("not measured", "no text encoder that looks at pictures; --retriever")}
    from telldraw.commands import reading

    device = job.options.device
    reader = reading.load(job.options.retriever, device)
    if reader.system.config.pairs != "pictures":
        return found | {"r_precision": Figure("not measured", f"{reader.name} does not look at pictures")}
    parts = [drawn.captions[at : at + _TOGETHER] for at in range(0, len(drawn.captions), _TOGETHER)]
    text = torch.cat([reader.read(part, device).cpu() for part in parts])

    @torch.inference_mode()
    def seen(images: Tensor) -> Tensor:
        return torch.cat([reader.system.embed_pictures(part.to(device)).float().cpu() for part in images.split(256)])

    return found | by("r_precision", seen, text, reader.name)


def _sheet(judge: Judge, drawn: Drawn, several: Tensor) -> list[Strip]:
    """The first captions, not picked: the true picture, the text's code in all layers, and drawings with noise."""
    alone, strips = synthesised(judge.job.loaded.system, drawn.text[:_SHOWN]), []
    for row, caption in enumerate(drawn.captions[:_SHOWN]):
        shown = [(drawn.true[row], "true"), (alone[row], "the text alone"), (drawn.image[row], "noise 0")]
        shown += [(image, f"noise {number}") for number, image in enumerate(several[row], 1)]
        frames = []
        for image, name in shown:
            picture = pixels.to_image(image).convert("RGB")
            frames.append(Frame(enlarge(picture, max(1, round(_WIDTH / picture.width))), "", name))
        strips.append(Strip(caption[:160], frames))
    return strips
