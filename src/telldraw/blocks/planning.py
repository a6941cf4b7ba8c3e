"""Saying where before painting: which objects a turn places, and in which cell of a 16x16 grid each of them lands.

Not in the GeNeVA paper. Its generator has to find the place and the looks of a new object in one pass, from a critic's
opinion alone; the place is in the data as a number, and a number can be learned by cross entropy in minutes.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Placed(NamedTuple):
    """What is placed in a turn, and where."""

    amount: Tensor  # [N, K] 0 or 1: is an object of this class placed?
    cell: Tensor  # [N, K] int64: the cell of its centre, row by row
    offset: Tensor  # [N, K, 2] in [-1, 1]: x and y inside the cell


class Plan(NamedTuple):
    """What the words, and the canvas they were said about, make likely."""

    amount: Tensor  # [N, K] logits
    cell: Tensor  # [N, K, S * S] logits


def placed(objects: Tensor, position: Tensor, before: Tensor, position_before: Tensor, side: int) -> Placed:
    """What a turn placed, from what is on the canvas after it and was there before: new objects, and moved ones.

    objects, before [N, K] 0 or 1; position, position_before [N, K, >= 2], x and y in units of the canvas. A centre that
    lies outside the canvas counts as at its edge.
    """
    moved = (position - position_before)[..., :2].abs().amax(-1) > 1e-3
    amount = objects * torch.maximum(1 - before, moved.to(objects.dtype))
    where = position[..., :2].clamp(0, 1 - 1e-6) * side
    column, row = where.long().unbind(-1)
    return Placed(amount, row * side + column, 2 * where.frac() - 1)


def sample(plan: Plan, noise: Tensor, sharpness: float = 1.0) -> Placed:
    """Place what is more likely than not, each in a cell drawn by its probability, anywhere inside that cell.

    Probabilities of cells are raised to the power `sharpness`: above 1, unlikely places become rarer.
    noise [N, 3 K] ~ N(0, 1); through its distribution function it becomes uniform, and a cell is where the cumulated
    probability passes it.
    """
    uniform = torch.special.ndtr(noise.float()).unflatten(1, (3, -1))
    cumulated = (sharpness * plan.cell.float()).softmax(-1).cumsum(-1)
    cell = (cumulated < uniform[:, 0].unsqueeze(-1)).sum(-1).clamp(max=plan.cell.shape[-1] - 1)
    return Placed((plan.amount > 0).float(), cell, 2 * uniform[:, 1:].transpose(1, 2) - 1)


class Planner(nn.Module):
    """Features of the canvas, and what was said -> which objects are placed, and where.

    Dilated convolutions, each scaled and shifted by the words (FiLM, Perez et al. 2018), carry "behind the red cube"
    from the red cube to any cell of the grid.
    """

    def __init__(self, seen: int, condition_dim: int, num_objects: int, width: int = 64) -> None:
        super().__init__()
        self.enter = nn.Conv2d(seen + 2, width, 1)
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=step, dilation=step) for step in (1, 2, 4, 8))
        self.tell = nn.Linear(condition_dim, 2 * width * len(self.layers))
        self.cell = nn.Conv2d(width, num_objects, 1)
        self.amount = nn.Linear(width + condition_dim, num_objects)

    def forward(self, seen: Tensor, condition: Tensor) -> Plan:
        """seen [N, C, S, S], condition [N, D] -> the plan, K classes and S * S cells."""
        ramp = torch.linspace(-1, 1, seen.shape[-1], device=seen.device, dtype=seen.dtype)
        down, across = torch.meshgrid(ramp, ramp, indexing="ij")
        hidden = self.enter(torch.cat([seen, torch.stack([across, down]).expand(seen.shape[0], -1, -1, -1)], dim=1))
        told = self.tell(condition).unflatten(1, (len(self.layers), -1, 1, 1)).unbind(1)
        for layer, words in zip(self.layers, told, strict=True):
            scale, shift = words.chunk(2, dim=1)
            hidden = hidden + F.relu((1 + scale) * layer(hidden) + shift)
        amount = self.amount(torch.cat([hidden.mean((2, 3)), condition], dim=1))
        return Plan(amount.float(), self.cell(hidden).flatten(2).float())


class Layout(nn.Module):
    """What is placed -> a map for the painter: each object's learned vector in its cell, and the surroundings told."""

    def __init__(self, num_objects: int, width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.vectors = nn.Parameter(torch.randn(num_objects, width))
        self.spread = nn.Sequential(
            nn.Conv2d(width + 2, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, objects: Placed) -> Tensor:
        """-> [N, W, S, S]."""
        vectors = self.vectors.expand(objects.amount.shape[0], -1, -1)
        values = torch.cat([vectors, objects.offset.to(vectors.dtype)], dim=-1) * objects.amount.unsqueeze(-1)
        cells = F.one_hot(objects.cell, self.side**2).to(values.dtype)
        return self.spread(torch.einsum("nkw,nkp->nwp", values, cells).unflatten(2, (self.side, self.side)))
