"""What a judge says of drawn pictures, and words for it: "7", "thick 7", "no sun". For `telldraw arithmetic`.

An expression such as `thick 7 - thin 7 + thin 4` is a sum of terms; a term lists attributes, each there or not. A judge
is a classifier or a detector: one attribute for each of its classes. For grey pictures with one class each (digits)
there are two more, measured and not judged: how thick (`thick`, `thin`) and how slanted to the right (`slanted`,
`upright`) a stroke is, as a rank among pictures of the same class. All scores are in [0, 1]: above 1/2 an attribute is
there.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from telldraw import weights
from telldraw.errors import DataError, TelldrawError, WeightsError
from telldraw.protocols import Classifier, Detector

if TYPE_CHECKING:
    from telldraw.weights import Loaded

SURE, OUTER = 0.9, 2 / 3
"""Above such scores a picture is an example of a class, or of what is measured; below 1 - these, of its absence."""
_TOGETHER = 200
_BORDER = 4  # pixels on each side that a judge of smaller pictures may leave out


def ink(images: Tensor) -> Tensor:
    """[N, 1, H, W] in [-1, 1] -> [N], the share of the picture that is white."""
    return (images.mean((1, 2, 3)) + 1) / 2


def slant(images: Tensor) -> Tensor:
    """[N, 1, H, W] in [-1, 1], y down -> [N]: by how many pixels the stroke goes right for each pixel up."""
    weight = ((images[:, 0] + 1) / 2).clamp(min=0)
    weight = weight / weight.sum((1, 2), keepdim=True).clamp(min=1e-9)
    y = torch.arange(images.shape[2], dtype=images.dtype).view(1, -1, 1)
    x = torch.arange(images.shape[3], dtype=images.dtype).view(1, 1, -1)
    y, x = (axis - (weight * axis).sum((1, 2), keepdim=True) for axis in (y, x))
    return -(weight * x * y).sum((1, 2)) / (weight * y * y).sum((1, 2)).clamp(min=1e-9)


MEASURED: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {"thick": ("thin", ink), "slanted": ("upright", slant)}
"""Attribute -> (the word for its absence, what is measured)."""


class Term(NamedTuple):
    """A group of pictures to average."""

    sign: int
    """1 or -1."""
    wanted: dict[str, bool]
    """Attribute -> whether it is there."""
    text: str


@dataclass
class Judge:
    """A classifier or detector that looks at drawn pictures; `learn` tells it what is usual among them."""

    name: str
    system: Any
    classes: tuple[str, ...]
    one_each: bool
    """Whether a picture shows one class."""
    border: int = 0
    """Pixels on each side that it does not look at."""
    measured: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = field(default_factory=dict)
    """Which of `MEASURED` it knows."""
    device: str = "cpu"
    usual: dict[str, list[Tensor]] = field(default_factory=dict)
    """Of each measure and class, what was measured in the pictures it learned from, sorted."""

    @property
    def words(self) -> dict[str, tuple[str, bool]]:
        """Word -> (attribute, whether it is there)."""
        known = {name: (name, True) for name in self.classes}
        for name, (absent, _) in self.measured.items():
            known |= {name: (name, True), absent: (name, False)}
        return known

    @property
    def attributes(self) -> list[str]:
        """Names of the columns of `scores`."""
        return [*self.classes, *self.measured]

    def learn(self, images: Tensor) -> Tensor:
        """Take what is usual from pictures [N, C, H, W], and score them: [N, A]."""
        best = self._classes(images).argmax(1)
        for name, (_, measure) in self.measured.items():
            value = measure(images)
            self.usual[name] = [value[best == number].sort().values for number in range(len(self.classes))]
        return self.scores(images)

    def scores(self, images: Tensor) -> Tensor:
        """pictures [N, C, H, W] in [-1, 1] -> [N, A]; ranks need `learn` first."""
        classes = self._classes(images)
        columns = [classes]
        for name, (_, measure) in self.measured.items():
            rank = [
                torch.searchsorted(self.usual[name][best], value) / max(1, len(self.usual[name][best]))
                for value, best in zip(measure(images), classes.argmax(1).tolist(), strict=True)
            ]
            columns.append(torch.stack(rank).unsqueeze(1))
        return torch.cat(columns, 1)

    @torch.inference_mode()
    def _classes(self, images: Tensor) -> Tensor:
        edge = self.border
        seen = images[..., edge : images.shape[2] - edge, edge : images.shape[3] - edge]
        return torch.cat([self._probability(part.to(self.device)).cpu() for part in seen.split(_TOGETHER)])

    def _probability(self, images: Tensor) -> Tensor:
        if isinstance(self.system, Detector):
            return self.system.detect(images).probability
        logits = self.system.classify(images)
        return logits.softmax(1) if self.one_each else logits.sigmoid()

    def holds(self, wanted: dict[str, bool], scores: Tensor, *, surely: bool = False) -> Tensor:
        """scores [N, A] -> bool [N]: whether all of `wanted` is as wanted, beyond 1/2 or beyond doubt."""
        held = torch.ones(len(scores), dtype=torch.bool)
        for name, there in wanted.items():
            bar = 0.5 if not surely else OUTER if name in self.measured else SURE
            column = scores[:, self.attributes.index(name)]
            held &= (column > bar) if there else (column < 1 - bar)
        return held


def load(given: str, drawer: "Loaded", device: str) -> Judge:
    """The judge named. Raises TelldrawError when the weights judge nothing, or other pictures than are drawn."""
    loaded = weights.load(weights.find(given), device)
    system: Any = loaded.system
    if not isinstance(system, Classifier | Detector):
        raise WeightsError(f"{given} holds {loaded.card['system']}, which judges nothing; name a classifier")
    one_each = isinstance(system, Classifier) and not loaded.card.get("many", False)
    theirs, ours = drawer.card.get("resolution"), loaded.card.get("resolution")
    border = (theirs - ours) // 2 if theirs and ours else 0
    if not 0 <= border <= _BORDER or (isinstance(system, Detector) and border):
        raise DataError(
            f"{loaded.name} looks at pictures of {ours} pixels, {drawer.name} draws {theirs}; name another --judge"
        )
    measured = dict(MEASURED) if one_each and drawer.card.get("channels") == 1 else {}
    return Judge(loaded.name, system, tuple(loaded.card.get("classes", ())), one_each, border, measured, device)


def parse(expression: str, words: dict[str, tuple[str, bool]]) -> list[Term]:
    """Terms of "A - B + C". Raises TelldrawError naming the word that is not known, and what there is."""
    parts = re.split(r"(?:^|\s+)([+-])(?=\s|$)", f"+ {expression.strip()}")[1:]
    if not expression.strip() or any(not text.strip() for text in parts[1::2]):
        raise TelldrawError(f'{expression!r} is no sum; write one as "A - B + C", with spaces around the signs')
    terms = [
        Term(1 if sign == "+" else -1, _wanted(text, words), " ".join(text.split()))
        for sign, text in zip(parts[::2], parts[1::2], strict=True)
    ]
    if terms[-1].sign < 0:
        raise TelldrawError(f"{expression!r}: the last term is what the rest is added to, so it needs a plus")
    return terms


def _wanted(text: str, words: dict[str, tuple[str, bool]]) -> dict[str, bool]:
    """The attributes of a term: "thick 7", "sun, no tree"; names of several words are known too."""
    found: dict[str, bool] = {}
    rest = text.replace(",", " ").split()
    while rest:
        absent = rest[0] == "no"
        rest = rest[absent:]
        length = next((n for n in range(len(rest), 0, -1) if " ".join(rest[:n]) in words), 0)
        if not length:
            known = ", ".join(words)
            raise TelldrawError(f"{text!r}: the judge knows no {' '.join(rest[:1]) or 'such word'!r}; it knows {known}")
        name, there = words[" ".join(rest[:length])]
        found[name] = there != absent
        rest = rest[length:]
    return found


def target(terms: Sequence[Term], classes: Iterable[str], one_each: bool) -> dict[str, bool]:
    """What the sum should show: the last term, changed by what the others add and do not take away again.

    thick 7 - thin 7 + thin 4: the 7s cancel, thick takes the place of thin -> thick 4. Where a picture has one class,
    a class that is added takes the place of the last term's.
    """
    *others, last = terms
    taken = [literal for term in others if term.sign < 0 for literal in term.wanted.items()]
    added = dict(literal for term in others if term.sign > 0 for literal in term.wanted.items() if literal not in taken)
    kept = dict(last.wanted)
    if one_each and any(added.get(name) for name in classes):
        kept = {name: there for name, there in kept.items() if name not in classes}
    return kept | added


def say(wanted: dict[str, bool], absent: dict[str, tuple[str, Any]] = MEASURED) -> str:
    """Attributes in words, as an expression has them."""
    return " ".join(
        name if there else absent[name][0] if name in absent else f"no {name}" for name, there in wanted.items()
    )
