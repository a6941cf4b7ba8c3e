"""Which layers of a layered generator decide what: layers of one code are replaced by those of another, and judged.

After the layer-wise analysis of TediGAN (Xia et al. 2021, Sec. 3.3 and Table 3), whose table says what was seen by eye.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_TOGETHER = 64
FEW = 10
"""Pairs that differ in an attribute, fewer than which say nothing of its layers."""
UNSURE = 20
"""Such pairs, fewer than which say little: the standard error of a share of 0.8 of 20 is 0.09."""


@dataclass(frozen=True)
class Analysis:
    """What replacing layers does, over N pairs of codes; K attributes, L layers."""

    runs: tuple[tuple[int, int], ...]  # the layers replaced at once: first, and one after the last
    flips: np.ndarray  # [R, K] of pairs that differ in the attribute, the share that then has the other's; nan: none do
    spoiled: np.ndarray  # [R, K] of pairs that agree in the attribute, the share that then differs
    moved: np.ndarray  # [R] mean distance of the picture from what it was
    pairs: np.ndarray  # [K] how many pairs differ in the attribute
    layers: int

    def single(self) -> np.ndarray:
        """[L, K]: the flips of each layer alone."""
        return self.flips[[self.runs.index((layer, layer + 1)) for layer in range(self.layers)]]

    def unsure(self, attribute: int) -> bool:
        """Whether so few pairs differ in the attribute that its layers may be others."""
        return bool(self.pairs[attribute] < UNSURE)

    def chosen(self, attribute: int, reach: float = 0.8) -> tuple[int, ...]:
        """The shortest run of layers that flips the attribute in a share `reach` of the pairs that differ in it.

        Of runs as long the one that spoils least of the others. All layers where fewer than `FEW` pairs differ.
        """
        if self.pairs[attribute] < FEW:
            return tuple(range(self.layers))
        others = np.delete(self.spoiled, attribute, 1)
        spoiled = np.nan_to_num(others).mean(1) if others.shape[1] else np.zeros(len(self.runs))
        enough = [n for n in range(len(self.runs)) if self.flips[n, attribute] >= reach]
        best = min(enough, key=lambda n: (self.runs[n][1] - self.runs[n][0], spoiled[n]))
        return tuple(range(*self.runs[best]))


@torch.inference_mode()
def analyse(
    system: Any,
    judged: Callable[[Tensor], Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
    codes: Tensor,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Analysis:
    """Replace every run of neighbouring layers of codes by those of others.

    system: `Layered`; judged: pictures [N, 3, H, W] -> [N, K] bool, which attributes they have; distance: of two
    batches of pictures, [N]; codes [2N, L, C], the first half of which gets layers of the second. A run of all layers
    is the other picture, and flips everything.
    """
    own, other = codes.chunk(2)
    count, layers = own.shape[0], own.shape[1]
    runs = tuple((first, last) for first in range(layers) for last in range(first + 1, layers + 1))

    def drawn(code: Tensor) -> Tensor:
        return torch.cat([system.synthesise(part) for part in code.split(_TOGETHER)])

    def seen(pictures: Tensor) -> Tensor:
        return torch.cat([judged(part) for part in pictures.split(_TOGETHER)])

    before, before_pictures = seen(drawn(own)), drawn(own)
    wanted = seen(drawn(other))
    differ = before != wanted
    flips, spoiled, moved = [], [], []
    for done, (first, last) in enumerate(runs):
        progress(done, len(runs))
        code = own.clone()
        code[:, first:last] = other[:, first:last]
        pictures = drawn(code)
        now = seen(pictures)
        flips.append(_share(now == wanted, differ))
        spoiled.append(_share(now != before, ~differ))
        moved.append(float(torch.cat([
            distance(a, b) for a, b in zip(pictures.split(_TOGETHER), before_pictures.split(_TOGETHER), strict=True)
        ]).mean()))  # fmt: skip
    progress(len(runs), len(runs))
    assert count == len(before)
    return Analysis(runs, np.stack(flips), np.stack(spoiled), np.array(moved), differ.sum(0).cpu().numpy(), layers)


def _share(that: Tensor, among: Tensor) -> np.ndarray:
    """[K]: the share of those among [N, K] for which `that` holds; nan where there are none."""
    of, all_ = (that & among).sum(0).double(), among.sum(0).double()
    return (of / all_.where(all_ > 0, torch.nan)).cpu().numpy()


def table(analysis: Analysis, attributes: Sequence[str], reach: float = 0.8) -> dict[str, list[int]]:
    """Attribute -> its layers, for `--table auto`."""
    return {name: list(analysis.chosen(number, reach)) for number, name in enumerate(attributes)}
