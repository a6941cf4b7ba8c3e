"""Faces found again and edited, for `telldraw evaluate`: is the edit there, what else changed, what was lost before it.

512 test faces, each with four edits: another hair colour, eyeglasses, a smile and a hat, told by a short instruction to
be what they are not; and, in a table alone, 128 of them with an edit of every attribute. Before an edit is G(E_v(x)),
the face without one: what is lost in reading it counts apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.commands import steering
from telldraw.commands.face_judging import Judge, coded, mean, percent, pictures, share, synthesised
from telldraw.commands.guided import forms
from telldraw.commands.picture_evaluation import Figure, Job, progress
from telldraw.drawing.sheet import Frame, Strip, contact_sheet, enlarge
from telldraw.metrics import faces

FACES = 512
"""Faces that are edited, the first of the split."""
EVERY = 128
"""Faces that are edited by every attribute."""
FITTED = 64
"""Faces whose codes are fitted."""
HOWS: tuple[Literal["move", "replace"], ...] = ("move", "replace")
"""What a text does to the layers it is about; the second is the paper's."""
HAIR = "hair colour"
_TOGETHER, _SHOWN, _WIDTH = 32, 6, 96
_STAND_IN = "cosine of {judge}'s features, a stand-in for a face recogniser's"


@dataclass
class Edit:
    """One of the four questions, asked of N faces."""

    name: str
    attribute: list[str]
    """Of each face, the attribute that is asked for."""
    there: list[bool]
    """Whether it is asked to be there."""

    def instruction(self, row: int) -> str:
        """What is told: "This person wears eyeglasses."."""
        return f"This person {steering.phrase(self.attribute[row], self.there[row])}."


@dataclass
class Outcome:
    """What came of one edit of N faces."""

    edit: Edit
    asked: Tensor  # [N, K]
    after: Tensor  # [N, 3, H, W]
    probability: Tensor  # [N, K]
    identity: Tensor  # [N]
    outside: Tensor = field(default_factory=lambda: torch.zeros(0))  # [N]; none where regions are not known


def planned(labels: np.ndarray, names: Sequence[str], seed: int) -> list[Edit]:
    """What each face, labels [N, K], is asked to become: what it is not; of hair colours another one by chance."""
    rng, plans = np.random.default_rng(seed), []
    if set(faces.HAIR) <= set(names):
        columns = [list(names).index(name) for name in faces.HAIR]
        others = [[name for name, own in zip(faces.HAIR, row, strict=True) if not own] for row in labels[:, columns]]
        colour = [str(rng.choice(each or list(faces.HAIR))) for each in others]
        plans.append(Edit(HAIR, colour, [True] * len(labels)))
    for name in faces.ASKED_OF_EDITS[len(faces.HAIR) :]:
        if name in names:
            there = labels[:, list(names).index(name)] == 0
            plans.append(Edit(name, [name] * len(labels), there.tolist()))
    return plans


def every(labels: np.ndarray, names: Sequence[str], known: Sequence[bool]) -> list[Edit]:
    """For each attribute that is known, every face, labels [N, K], asked to become what it is not."""
    columns = [(number, name) for number, name in enumerate(names) if known[number]]
    return [Edit(name, [name] * len(labels), (labels[:, number] == 0).tolist()) for number, name in columns]


def edits(judge: Judge) -> dict[str, Figure]:
    """Figures of all edits, by both ways to change a code; those of the paper's way end in `_replace`."""
    job, system = judge.job, judge.job.loaded.system
    rows = list(job.rows[:FACES])
    code = coded(system, "image", pictures(job, rows), job.options.device)
    before = synthesised(system, code)
    plans = planned(job.collection.labels[rows], judge.names, job.options.seed)
    if not plans:
        return {"flipped": Figure("not measured", "the pictures have none of the attributes that edits are asked by")}
    figures: dict[str, Figure] = {}
    shown: dict[str, list[Tensor]] = {}
    for how in HOWS:
        found = _all(judge, rows, code, before, plans, how)
        figures |= _figures(judge, before, found, "" if how == "move" else f"_{how}")
        job.tables[f"edits by a short instruction, {how}, in percent"] = _table(judge, before, found)
        shown[how] = [each.after for each in found]
    few = rows[:EVERY]
    known = [True] * len(judge.names) if judge.known is None else judge.known.tolist()
    found = _all(
        judge, few, code[:EVERY], before[:EVERY], every(job.collection.labels[few], judge.names, known), "move"
    )
    job.tables["edits by every attribute, move, in percent"] = _table(judge, before[:EVERY], found)
    job.sheets["edits"] = contact_sheet(_sheet(pictures(job, rows[:_SHOWN]), before, plans, shown))
    return figures


def _all(judge: Judge, rows: list[int], code: Tensor, before: Tensor, plans: list[Edit], how: str) -> list[Outcome]:
    own, found = judge.features(before), []
    with progress(f"edited ({how})", len(plans) * len(rows)) as tell:
        for number, edit in enumerate(plans):
            after = synthesised(judge.job.loaded.system, _changed(judge.job, code, edit, how))
            wanted = [{name: there} for name, there in zip(edit.attribute, edit.there, strict=True)]
            outcome = Outcome(
                edit,
                judge.asked(wanted),
                after,
                judge.probability(after),
                faces.identity(own, judge.features(after)),
                _outside(judge.job, rows, edit, before, after),
            )
            found.append(outcome)
            tell((number + 1) * len(rows))
    return found


@torch.inference_mode()
def _changed(job: Job, code: Tensor, edit: Edit, how: str) -> Tensor:
    """Codes [N, L, C] after their instructions, those with the same one together."""
    table = steering.table_of(job.loaded, None)
    told = [edit.instruction(row) for row in range(len(code))]
    changed = code.clone()
    for text in dict.fromkeys(told):
        here = torch.tensor([row for row, each in enumerate(told) if each == text], device=code.device)
        changed[here] = steering.Change(job.loaded, text, table=table, how=how)(code[here])
    return changed


def _outside(job: Job, rows: list[int], edit: Edit, before: Tensor, after: Tensor) -> Tensor:
    """Change of pixels where the edit had no business, [N]; none where the set has no maps of regions."""
    if "regions" not in job.collection.maps or not set(edit.attribute) <= set(faces.TOUCHED):
        return torch.zeros(0)
    known: Any = job.collection.maps["regions"]
    regions = torch.from_numpy(np.asarray(known.rows[rows])).long()
    touched = {name: faces.numbers_of(name, known.names) for name in set(edit.attribute)}
    where = torch.stack([faces.outside(regions[row], touched[name]) for row, name in enumerate(edit.attribute)])
    return faces.rms(before, after, where)


def _figures(judge: Judge, before: Tensor, found: list[Outcome], ending: str) -> dict[str, Figure]:
    """Over all edits together; a row is a face with all its edits, so that errors have faces as their units."""
    seen = judge.probability(before)
    asked, after = (torch.cat(each, 1) for each in ([o.asked for o in found], [o.probability for o in found]))
    first = seen.repeat(1, len(found))
    other = faces.interference(first, after, asked, spared=torch.cat([judge.spared(each.asked) for each in found], 1))
    what = f"{len(found)} edits of {len(before):,} faces"
    identity = torch.stack([each.identity for each in found]).mean(0)
    figures = {
        f"edited_asked{ending}": share(faces.asked_right(after, asked), f"share of {what} that are as asked"),
        f"flipped{ending}": share(
            faces.flipped(first, after, asked), f"the same of those that were not before, {what}"
        ),
        f"interference{ending}": share(other.changed, f"share of attributes not asked for that changed, {what}"),
        f"interference_moved{ending}": Figure(
            other.moved if other.changed.of else "not measured", "mean absolute change of their probability"
        ),
        f"identity{ending}": mean(identity, f"{_STAND_IN.format(judge=judge.loaded.name)}, before and after"),
    }
    if len(found[0].outside):
        outside = torch.stack([each.outside for each in found]).nanmean(0)
        figures[f"outside{ending}"] = mean(outside, "root mean square change of pixels where the edit had no business")
    if not ending and len(before) > 1:
        others = faces.identity(judge.features(before), judge.features(before).roll(1, 0))
        figures["identity_others"] = mean(others, "the same between different faces")
    return figures


def _table(judge: Judge, before: Tensor, found: list[Outcome]) -> list[list[str]]:
    """A row for each edit, and for adding and removing it."""
    seen, rows = judge.probability(before), []
    for each in found:
        there = torch.tensor(each.edit.there)
        ways = {"": torch.ones_like(there), ", added": there, ", removed": ~there}
        for ending, chosen in ways.items():
            if not bool(chosen.any()) or (ending and bool(chosen.all())):
                continue
            was, now, asked = seen[chosen], each.probability[chosen], each.asked[chosen]
            other = faces.interference(was, now, asked, spared=judge.spared(asked))
            outside = float(each.outside[chosen].nanmean()) if len(each.outside) else float("nan")
            flipped = faces.flipped(was, now, asked)
            cells = (faces.asked_right(now, asked).value, flipped.value, other.changed.value, other.moved)
            identity = float(each.identity[chosen].mean())
            name = f"{each.edit.name}{ending}"
            rows.append([name, str(int(chosen.sum())), *map(percent, (*cells, identity, outside))])
    return [["edit", "faces", "as asked", "flipped", "interference", "moved", "identity", "outside"], *rows]


def _sheet(true: Tensor, before: Tensor, plans: list[Edit], shown: dict[str, list[Tensor]]) -> list[Strip]:
    """The first faces, not picked, with all their edits."""
    strips = []
    for row in range(len(true)):
        for how, after in shown.items():
            own = [(true[row], "true"), (before[row], "as read")]
            for edit, images in zip(plans, after, strict=True):
                own.append((images[row], steering.phrase(edit.attribute[row], edit.there[row])))
            frames = []
            for image, said in own:
                picture = pixels.to_image(image).convert("RGB")
                frames.append(Frame(enlarge(picture, max(1, round(_WIDTH / picture.width))), "", said))
            strips.append(Strip(how, frames))
    return strips


# --- faces found again --------------------------------------------------------------------------------------------


def read(judge: Judge) -> dict[str, Figure]:
    """What is left of a face that is read from its picture, sketch or regions, and drawn again."""
    job, system = judge.job, judge.job.loaded.system
    rows = list(job.rows[:FACES])
    true, label = pictures(job, rows), torch.from_numpy(job.collection.labels[rows])
    own = judge.features(true)
    table = [["read from", "mse", judge.kind, "attributes", "identity"]]
    figures: dict[str, Figure] = {}
    for kind, given in forms(job.collection, rows).items():
        place = ("image", "sketch", "regions", "text").index(kind)
        if kind == "text" or not bool(system.ready[place]):  # type: ignore[index]
            continue
        again = synthesised(system, coded(system, kind, given, job.options.device))
        values = faces.reconstructed(again, true, judge.apart)
        right = _found(judge, again, label)
        identity = faces.identity(own, judge.features(again))
        figures[f"read_{kind}_attributes"] = mean(
            right, f"share of the true attributes found in faces from their {kind}"
        )
        figures[f"read_{kind}_identity"] = mean(identity, f"{_STAND_IN.format(judge=judge.loaded.name)}, true and read")
        means = (values["mse"], values["perceptual"])
        cells = [f"{float(each.mean()):.4f}" for each in means]
        table.append([kind, *cells, percent(float(right.mean())), percent(float(identity.mean()))])
    table.append(["(true pictures)", "0", "0", percent(float(_found(judge, true, label).mean())), "100.0"])
    job.tables["faces read and drawn again (attributes, identity in percent)"] = table
    return figures


def _found(judge: Judge, images: Tensor, label: Tensor) -> Tensor:
    """Share of the attributes the judge can tell that are as labelled [N, K], of each picture [N, 3, H, W]: [N]."""
    right = (judge.probability(images) > faces.THERE) == (label > 0)
    return (right if judge.known is None else right[:, judge.known]).double().mean(1)


def inverted(judge: Judge) -> dict[str, Figure]:
    """Faces as the encoder reads them, and after fitting the code of each (Xia et al. 2021, Eq. 4)."""
    job = judge.job
    system: Any = job.loaded.system
    true = pictures(job, job.rows[:FITTED])
    code = coded(system, "image", true, job.options.device)
    figures = _again(judge, true, code, "inverted", "as the encoder reads them")
    if not job.options.steps:
        return figures
    if job.options.perceptual is not None:
        from telldraw.commands.perceiving import load

        system.perceive(load(job.options.perceptual, job.options.device))
    parts: list[Tensor] = []
    with progress("fitted", len(true) * job.options.steps) as tell:
        for at in range(0, len(true), _TOGETHER):
            part, start = true[at : at + _TOGETHER].to(job.options.device), code[at : at + _TOGETHER]
            done = at * job.options.steps

            def each(step: int, loss: float, done: int = done, size: int = len(start)) -> None:
                tell(done + step * size)

            parts.append(system.optimise(part, start, steps=job.options.steps, each=each))
    by = "" if job.options.perceptual is None else f" and features of {job.options.perceptual}"
    what = f"after {job.options.steps} steps by pixels{by}"
    return figures | _again(judge, true, torch.cat(parts), "optimised", what)


def _again(judge: Judge, true: Tensor, code: Tensor, name: str, what: str) -> dict[str, Figure]:
    image = synthesised(judge.job.loaded.system, code)
    called = {"mse": "mean square error of pixels in [0, 1]", "psnr": "peak signal to noise ratio in dB"}
    called |= {"ssim": "structural similarity", "perceptual": f"{judge.distance.name}'s distance"}
    found = {
        f"{name}_{judge.kind if each == 'perceptual' else each}": mean(values, f"{called[each]} of faces {what}")
        for each, values in faces.reconstructed(image, true, judge.apart).items()
    }
    identity = faces.identity(judge.features(true), judge.features(image))
    found[f"{name}_identity"] = mean(identity, f"{_STAND_IN.format(judge=judge.loaded.name)}, faces {what}")
    return found
