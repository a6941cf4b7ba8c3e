"""A drawer on whole dialogues, scored picture by picture beside baselines that draw nothing.

Every figure is the mean of one number per picture, so that all figures of a table are over the same pictures. Twice:
over all turns of all dialogues, and over each dialogue's own last turn, where long and short dialogues weigh the same.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from telldraw import pixels
from telldraw.batches import Dialogues
from telldraw.errors import WeightsError
from telldraw.metrics import ROWS
from telldraw.protocols import Conversational


class Scorer(Protocol):
    """A figure for each picture. Part of a table because it is in the list given to `evaluate`."""

    def __call__(self, drawn: Tensor, true: Tensor, objects: Tensor, position: Tensor) -> dict[str, Tensor]:
        """drawn, true [N, 3, H, W] in [-1, 1], objects [N, C], position [N, C, 3] -> figures [N] by name."""
        ...


def select(state: Any, rows: Tensor) -> Any:
    """The state of some of the dialogues of a batch: every tensor in it at `rows` [M] of its first axis."""
    if isinstance(state, Tensor):
        return state[rows]
    if isinstance(state, tuple):
        parts = (select(part, rows) for part in state)
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    if is_dataclass(state) and not isinstance(state, type):
        return replace(state, **{part.name: select(getattr(state, part.name), rows) for part in fields(state)})
    return state


def on_canvas(state: Any, canvas: Tensor) -> Any:
    """The state with another canvas [B, 3, H, W] in front of it; what was said stays said."""
    return state._replace(canvas=canvas) if hasattr(state, "_replace") else replace(state, canvas=canvas)


def draw(system: Conversational, batch: Dialogues, noise: Tensor, *, teacher: bool) -> Tensor:
    """Draw every turn of a batch of dialogues: pictures [N, 3, H, W] in [-1, 1].

    All dialogues take their first turn together, then all that have a second one, and so on. With `teacher` each turn
    repaints the true canvas before it. noise: [N, noise_dim], a row for each turn. Raises WeightsError when a picture
    is not made of finite numbers.
    """
    first = batch.turns.cumsum(0) - batch.turns
    alive = torch.arange(len(batch.turns), device=batch.turns.device)
    drawn = torch.empty_like(batch.image)
    state = system.start(len(alive))
    for turn in range(int(batch.turns.max())):
        going = batch.turns[alive] > turn
        if not bool(going.all()):
            kept = going.nonzero().squeeze(1)
            state, alive = select(state, kept), alive[kept]
        rows = first[alive] + turn
        if teacher and turn:
            state = on_canvas(state, batch.image[rows - 1])
        state = system.turn(state, batch.instruction[rows], noise[rows])
        drawn[rows] = state.canvas.to(drawn.dtype)
    if not bool(drawn.isfinite().all()):
        raise WeightsError("what was drawn is not a number: are these weights from a run that failed?")
    return drawn


@dataclass
class Measured:
    """All that one pass over a split has shown, picture by picture."""

    values: dict[str, dict[str, list[Tensor]]] = field(default_factory=lambda: {row: {} for row in ROWS})
    """Row -> metric -> figures [N] of one batch after another."""
    last: list[Tensor] = field(default_factory=list)
    """Is this picture the last of its dialogue? [N] bool, likewise."""
    losses: dict[str, float] = field(default_factory=dict)
    """The system's own losses, summed over turns."""
    dialogues: int = 0
    turns: int = 0
    seconds: float = 0.0
    """Time the free-running turns took."""

    def mean(self, row: str, metric: str, *, last: bool = False) -> float:
        """The figure of a cell: over all turns, or over each dialogue's last."""
        values = torch.cat(self.values[row][metric]).double()
        return float((values[torch.cat(self.last)] if last else values).mean())

    def mean_losses(self) -> dict[str, float]:
        """Each loss as a mean over turns."""
        return {name: total / self.turns for name, total in self.losses.items()}


@torch.no_grad()  # not inference_mode: a system's losses may need a gradient of their own inside
def evaluate(
    system: Conversational,
    batches: Iterable[Dialogues],
    scorers: Iterable[Scorer],
    *,
    seed: int,
    losses: Callable[[Dialogues], dict[str, Tensor]] | None = None,
    progress: Callable[[int], None] = lambda dialogues: None,
    watch: Callable[[str, Tensor], None] | None = None,
) -> Measured:
    """Draw and score every dialogue of `batches` (uint8 pictures, as the loader gives them).

    Pictures are scored as they would be saved, in 256 levels. The noise of a turn depends on `seed` and on how many
    turns came before it in the data, not on the batch size. `progress` is told the number of dialogues done.
    `watch` is shown every batch of pictures [N, 3, H, W] in [-1, 1] with the name of its row: what is measured of all
    pictures together, and not of each, is collected there.
    """
    scorers, noise = list(scorers), torch.Generator().manual_seed(seed)
    measured = Measured()
    for batch in batches:
        batch = batch._replace(background=pixels.to_float(batch.background), image=pixels.to_float(batch.image))
        # row by row: one call for all of them would give other numbers in another batch size
        rows = [torch.randn(system.noise_dim, generator=noise) for _ in range(len(batch.image))]
        turns = torch.stack(rows).to(batch.image.device)
        began = _now(batch.image)
        free = draw(system, batch, turns, teacher=False)
        measured.seconds += _now(batch.image) - began
        forced = draw(system, batch, turns, teacher=True)
        copied = batch.previous(batch.image, batch.background)
        shown = (_as_saved(free), _as_saved(forced), copied, batch.background.expand_as(batch.image), batch.image)
        for row, pictures in zip(ROWS, shown, strict=True):
            if watch is not None:
                watch(row, pictures)
            for scorer in scorers:
                for metric, values in scorer(pictures, batch.image, batch.objects, batch.position).items():
                    measured.values[row].setdefault(metric, []).append(values.cpu())
        if losses is not None:
            _add_losses(measured, losses, batch, seed)
        is_last = torch.zeros(len(batch.image), dtype=torch.bool)
        is_last[batch.turns.cumsum(0).cpu() - 1] = True
        measured.last.append(is_last)
        measured.dialogues += len(batch.turns)
        measured.turns += len(batch.image)
        progress(measured.dialogues)
    return measured


def _add_losses(
    measured: Measured, losses: Callable[[Dialogues], dict[str, Tensor]], batch: Dialogues, seed: int
) -> None:
    with torch.random.fork_rng(devices=[batch.image.device] if batch.image.is_cuda else []):
        torch.manual_seed(seed + measured.turns)  # the losses draw noise of their own
        for name, value in losses(batch).items():
            measured.losses[name] = measured.losses.get(name, 0.0) + float(value) * len(batch.image)


def _as_saved(pictures: Tensor) -> Tensor:
    return pixels.to_float(pixels.to_uint8(pictures))


def _now(like: Tensor) -> float:
    if like.is_cuda:
        torch.cuda.synchronize(like.device)
    return time.perf_counter()
