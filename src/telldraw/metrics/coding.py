"""How maps of codes are used, and how many nats a prior needs for them: sums over many pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Level(NamedTuple):
    """What was seen of one level of codes."""

    number: int  # 1 is the finest
    side: int  # of its map
    perplexity: float  # of the codes of all pictures and places together, 1 to the number of entries
    local: float  # of the codes at one place: exp of the mean over places of their entropy; 1 if all maps are the same
    used: int  # entries that occurred
    nats: tuple[float, float] | None  # of a picture's map: mean and standard error; None without a prior


class Usage:
    """Counts codes and collects nats, batch by batch."""

    def __init__(self, codes: int) -> None:
        """Of codebooks of so many entries."""
        self.codes = codes
        self.counts: list[Tensor] = []
        """For each level, how often each entry occurred at each place: int64 [h * w, entries]."""
        self.sides: list[int] = []
        self.seen: list[Tensor] = []
        """Nats [levels, N] of each batch."""

    def see(self, maps: Sequence[Tensor], nats: Sequence[Tensor] = ()) -> None:
        """Add a batch: for each level its codes [N, h, w] and, by a prior, the nats [N] of each."""
        each = [self._by_place(codes.flatten(1).cpu()) for codes in maps]
        self.counts = [a + b for a, b in zip(self.counts, each, strict=True)] if self.counts else each
        self.sides = [codes.shape[-1] for codes in maps]
        if nats:
            self.seen.append(torch.stack([value.double().cpu() for value in nats]))

    def levels(self) -> list[Level]:
        """What was seen, from fine to coarse."""
        nats = torch.cat(self.seen, 1) if self.seen else None
        found = []
        for index, (count, side) in enumerate(zip(self.counts, self.sides, strict=True)):
            whole = count.sum(0)
            perplexity, local = (float(torch.exp(_entropy(each).mean())) for each in (whole, count))
            own = None if nats is None else _mean(nats[index])
            found.append(Level(index + 1, side, perplexity, local, int((whole > 0).sum()), own))
        return found

    def _by_place(self, codes: Tensor) -> Tensor:
        """Codes [N, places] -> counts [places, entries]."""
        places = codes.shape[1]
        at = torch.arange(places) * self.codes + codes
        return torch.bincount(at.flatten(), minlength=places * self.codes).view(places, self.codes)

    def nats(self) -> tuple[float, float] | None:
        """Of all levels together: mean and standard error."""
        return _mean(torch.cat(self.seen, 1).sum(0)) if self.seen else None


def _entropy(counts: Tensor) -> Tensor:
    """Counts [..., entries] -> nats [...]."""
    share = counts.double() / counts.sum(-1, keepdim=True)
    return -torch.xlogy(share, share).sum(-1)


def _mean(values: Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5) if len(values) > 1 else 0.0
