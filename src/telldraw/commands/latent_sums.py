"""Sums of averaged latents, and how often a judge finds in them what they should show."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from telldraw.commands.attributes import Judge, Term
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
    each: dict[str, float]  # attribute -> share of pictures that are right in it


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
        keep_length: bool = False,
        pool: int = 4000,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        """Draw and judge the pool. Raises TelldrawError when a kind of picture is too rare in it."""
        self.drawer, self.judge, self.terms, self.device = drawer, judge, terms, device
        self.average, self.keep_length = average, keep_length
        self.rng = torch.Generator().manual_seed(seed)
        self.pool = torch.randn(pool, drawer.noise_dim, generator=self.rng)
        self.scores = judge.learn(self.draw(self.pool))
        self.members: list[Tensor] = []
        for term in terms:
            rows = judge.holds(term.wanted, self.scores, surely=True).nonzero()[:, 0]
            if len(rows) < average:
                raise TelldrawError(
                    f"{judge.name} surely finds {term.text!r} in {len(rows)} of {pool:,} random pictures, and "
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
            signed = [term.sign * self.mean(part) for term, part in zip(self.terms, parts, strict=True)]
            found.append(Sum(parts, self._kept(torch.stack(signed).sum(0))))
        return found

    def mean(self, latents: Tensor) -> Tensor:
        """[N, Z] -> [Z], their average, of the length asked for."""
        return self._kept(latents.mean(0))

    def _kept(self, latent: Tensor) -> Tensor:
        """[Z] as it is or, with `keep_length`, as long as latents are."""
        return latent * (len(latent) ** 0.5 / latent.norm().clamp(min=1e-9)) if self.keep_length else latent

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
        last = torch.stack([self.mean(each.parts[-1]) for each in sums])
        # the same sums with pictures of any kind in place of those of the other terms: as long a way, but to nowhere
        strayed = torch.stack([self._kept(latent + self._anything()) for latent in last])
        rates = [
            self._rate("the sum", wanted, self.judge.scores(self.draw(total))),
            self._rate(f"the last term alone ({self.terms[-1].text})", wanted, self.judge.scores(self.draw(last))),
            self._rate("the last term and latents of any kind", wanted, self.judge.scores(self.draw(strayed))),
            self._rate("random latents", wanted, self.scores),
        ]
        return rates if len(self.terms) > 1 else [rates[0], rates[-1]]

    def _anything(self) -> Tensor:
        others = [torch.randint(len(self.pool), (self.average,), generator=self.rng) for _ in self.terms[:-1]]
        parts = [term.sign * self.mean(self.pool[rows]) for term, rows in zip(self.terms, others, strict=False)]
        return torch.stack(parts).sum(0) if parts else torch.zeros_like(self.pool[0])

    def _rate(self, of: str, wanted: dict[str, bool], scores: Tensor) -> Rate:
        share, count = self.judge.holds(wanted, scores).float().mean().item(), len(scores)
        each = {name: self.judge.holds({name: there}, scores).float().mean().item() for name, there in wanted.items()}
        return Rate(of, share, (share * (1 - share) / count) ** 0.5, count, each)
