"""Sums of averaged latents, and how often a judge finds in them what they should show."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from telldraw.commands.attributes import SURE, Judge, Term
from telldraw.commands.latents import pictures
from telldraw.errors import TelldrawError

AROUND = 0.25
"""Largest noise around the sum, in each number of z: that of Radford et al. 2016, Fig. 7."""


class Rate(NamedTuple):
    """A share of pictures in which the judge finds what the sum should show."""

    of: str
    share: float
    error: float  # its standard error
    pictures: int


class Sum(NamedTuple):
    """One sum: latents of each term [average, Z], and what they add up to [Z]."""

    parts: list[Tensor]
    total: Tensor


class Sums:
    """Random latents, those of each term among them, and sums of these."""

    def __init__(
        self,
        drawer: Any,
        judge: Judge,
        terms: Sequence[Term],
        *,
        average: int = 3,
        pool: int = 4000,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        """Draw and judge the pool. Raises TelldrawError when a kind of picture is too rare in it."""
        self.drawer, self.judge, self.terms, self.average, self.device = drawer, judge, terms, average, device
        self.rng = torch.Generator().manual_seed(seed)
        self.pool = torch.randn(pool, drawer.noise_dim, generator=self.rng)
        self.scores = judge.learn(self.draw(self.pool))
        self.members: list[Tensor] = []
        for term in terms:
            rows = judge.holds(term.wanted, self.scores, SURE).nonzero()[:, 0]
            if len(rows) < average:
                raise TelldrawError(
                    f"{judge.name} finds {term.text!r} in {len(rows)} of {pool:,} random pictures, and "
                    f"{average} are averaged; raise --pool, or add something less rare"
                )
            self.members.append(rows)

    def sums(self, count: int) -> list[Sum]:
        """Sums of other latents each."""
        found = []
        for _ in range(count):
            parts = [
                self.pool[rows[torch.randperm(len(rows), generator=self.rng)[: self.average]]] for rows in self.members
            ]
            signed = [term.sign * part.mean(0) for term, part in zip(self.terms, parts, strict=True)]
            found.append(Sum(parts, torch.stack(signed).sum(0)))
        return found

    def around(self, total: Tensor, count: int) -> Tensor:
        """[count, Z]: `total` with uniform noise of +-AROUND each."""
        noise = 2 * torch.rand(count, len(total), generator=self.rng) - 1
        return total + AROUND * noise

    def draw(self, z: Tensor) -> Tensor:
        """z [N, Z] -> pictures [N, C, H, W]."""
        return pictures(self.drawer, z.to(self.device))

    def rates(self, wanted: dict[str, bool], repeats: int = 400) -> list[Rate]:
        """How often `wanted` is found in sums, and in what they must be compared with."""
        sums = self.sums(repeats)
        total = torch.stack([each.total for each in sums])
        last = torch.stack([each.parts[-1].mean(0) for each in sums])
        # the same sums with pictures of any kind in place of those of the other terms: as long a way, but to nowhere
        strayed = last + torch.stack([self._anything() for _ in sums])
        rates = [
            self._rate("the sum", wanted, self.judge.scores(self.draw(total))),
            self._rate(f"the last term alone ({self.terms[-1].text})", wanted, self.judge.scores(self.draw(last))),
            self._rate("the last term and latents of any kind", wanted, self.judge.scores(self.draw(strayed))),
            self._rate("random latents", wanted, self.scores),
        ]
        return rates if len(self.terms) > 1 else [rates[0], rates[-1]]

    def _anything(self) -> Tensor:
        parts = [
            term.sign * self.pool[torch.randint(len(self.pool), (self.average,), generator=self.rng)].mean(0)
            for term in self.terms[:-1]
        ]
        return torch.stack(parts).sum(0) if parts else torch.zeros_like(self.pool[0])

    def _rate(self, of: str, wanted: dict[str, bool], scores: Tensor) -> Rate:
        held = self.judge.holds(wanted, scores).float()
        share = held.mean().item()
        return Rate(of, share, (share * (1 - share) / len(held)) ** 0.5, len(held))
