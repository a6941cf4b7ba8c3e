"""How maps of codes are used, and how many nats a prior needs for them: sums over many pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Level(NamedTuple):
    """What was seen of one level of codes."""

    number: int  # 1 is the finest
    side: int  # of its map
    perplexity: float  # of the codes of all pictures together, 1 to the number of entries
    used: int  # entries that occurred
    nats: tuple[float, float] | None  # of a picture's map: mean and standard error; None without a prior


class Usage:
    """Counts codes and collects nats, batch by batch."""

    def __init__(self, codes: int) -> None:
        """Of codebooks of so many entries."""
        self.codes = codes
        self.counts: list[Tensor] = []
        self.sides: list[int] = []
        self.seen: list[Tensor] = []
        """Nats [levels, N] of each batch."""

    def see(self, maps: Sequence[Tensor], nats: Sequence[Tensor] = ()) -> None:
        """Add a batch: for each level its codes [N, h, w] and, by a prior, the nats [N] of each."""
        each = [torch.bincount(codes.flatten().cpu(), minlength=self.codes) for codes in maps]
        self.counts = [a + b for a, b in zip(self.counts, each, strict=True)] if self.counts else each
        self.sides = [codes.shape[-1] for codes in maps]
        if nats:
            self.seen.append(torch.stack([value.double().cpu() for value in nats]))

    def levels(self) -> list[Level]:
        """What was seen, from fine to coarse."""
        nats = torch.cat(self.seen, 1) if self.seen else None
        found = []
        for index, (count, side) in enumerate(zip(self.counts, self.sides, strict=True)):
            share = count.double() / count.sum()
            perplexity = float(torch.exp(-torch.xlogy(share, share).sum()))
            own = None if nats is None else _mean(nats[index])
            found.append(Level(index + 1, side, perplexity, int((count > 0).sum()), own))
        return found

    def nats(self) -> tuple[float, float] | None:
        """Of all levels together: mean and standard error."""
        return _mean(torch.cat(self.seen, 1).sum(0)) if self.seen else None


def _mean(values: Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5) if len(values) > 1 else 0.0
