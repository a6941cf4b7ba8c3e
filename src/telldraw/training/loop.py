"""The loop. It knows no system, no data set and no file format beyond the training state's."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from telldraw import pixels
from telldraw.errors import TrainingError, WeightsError
from telldraw.protocols import Normalised
from telldraw.training import checkpoint
from telldraw.training.average import Average
from telldraw.training.log import Log
from telldraw.training.schedule import Schedule
from telldraw.training.update import Update


class Batches(Protocol):
    """Where batches come from: batch n is a function of (seed, n) alone."""

    def iterate(self, start_step: int = 0) -> Iterator[Any]:
        """Give the batches from `start_step` on."""
        ...

    def batch(self, step: int) -> Any:
        """Make the batch of `step`."""
        ...


class Outputs(Protocol):
    """What is made of an averaged system that is ready to draw."""

    def weights(self, system: nn.Module, seen: int, /) -> None:
        """Write weights to draw with."""
        ...

    def sheet(self, system: nn.Module, seen: int, /) -> None:
        """Draw something to look at."""
        ...


class Trainer:
    """Everything that is saved and restored, and the loop over it."""

    def __init__(
        self,
        system: nn.Module,
        batches: Batches,
        run: Path,
        schedule: Schedule,
        *,
        seed: int,
        device: str,
        decay: float,
    ) -> None:
        self.system = system.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.batches, self.run, self.schedule, self.seed = batches, run, schedule, seed
        self.device = torch.device(device)
        self.average = Average(self.system, decay)
        self.update = Update(self.system.optimizers())  # type: ignore[operator]  # every system has optimizers()
        self.seen = 0
        self.stopping = False
        """Set from outside to end after the present step: the state is then that of a run that was never stopped."""
        self.first_bad: dict[str, Tensor] = {}

    # What a run is, on disk

    def restore(self, warn: Callable[[str], None]) -> bool:
        """Go on from the newest readable state, if there is one."""
        state = checkpoint.load_latest(self.run, device=self.device, warn=warn)
        if state is None:
            return False
        try:
            self.system.load_state_dict(state["system"])
            self.average.resume(self.system, state["average"], state.get("began"))
            for name, optimizer in self.update.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
            self.seen, self.update.step = state["seen"], state["step"]
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1].strip()[:200]
            raise WeightsError(
                f"the training state in {self.run} is of another system, data set or version ({reason}); "
                "start anew with another --out"
            ) from None
        return True

    def save(self) -> Path:
        """Write the state, if it is good."""
        self.check()
        state = {
            "system": self.system.state_dict(),
            "average": self.average.system.state_dict(),
            "began": self.average.began,
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.update.optimizers.items()},
            "seen": self.seen,
            "step": self.update.step,
        }
        return checkpoint.save(self.run, self.seen, state)

    # The loop

    def train(self, log: Log, outputs: Outputs) -> bool:
        """Train until the schedule ends or `stopping` is set; True when all examples were seen."""
        schedule, began = self.schedule, time.monotonic()
        limit = float("inf") if schedule.max_minutes is None else 60 * schedule.max_minutes
        logged = saved = began
        shown = -1
        sheet_due = (self.seen // schedule.sheet_every + 1) * schedule.sheet_every
        batches = self.batches.iterate(self.update.step)
        while self.seen < schedule.examples and not self.stopping and time.monotonic() - began < limit:
            self.step(next(batches))
            now = time.monotonic()
            if now - logged >= schedule.log_every or self.seen >= schedule.examples:
                logged = now
                log.figures(self.seen, schedule.examples, self.check(), limit - (now - began))
            if now - saved >= schedule.save_every:
                self.keep(outputs)
                saved = time.monotonic()
            if self.seen >= sheet_due:
                sheet_due = (self.seen // schedule.sheet_every + 1) * schedule.sheet_every
                self.measure()
                outputs.sheet(self.average.system, self.seen)
                shown = self.seen
        if self.stopping:
            self.save()
        else:
            self.keep(outputs)
            if shown != self.seen:
                outputs.sheet(self.average.system, self.seen)
        return self.seen >= schedule.examples

    def step(self, batch: Any) -> None:
        """One training step. Its randomness is a function of (seed, step), so that a stopped run goes on exactly."""
        torch.manual_seed(hash_of(self.seed, self.update.step))
        batch = to_device(batch, self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.schedule.bf16):
            self.system.training_step(batch, self.update)  # type: ignore[operator]
        self.update.step += 1
        self.seen += batch.examples()
        self.average.follow(self.system, self.update.step)
        for name, value in self.update.losses.items():
            # noted on the device, so that nobody waits for it
            seen = torch.where(value.isfinite(), torch.inf, float(self.seen))
            self.first_bad[name] = torch.minimum(self.first_bad[name], seen) if name in self.first_bad else seen

    def check(self) -> dict[str, float]:
        """The last losses. Raises TrainingError when any was not finite since the last look, or a weight is not."""
        for name, seen in self.first_bad.items():
            if seen.item() != float("inf"):
                raise self._not_finite(f"the loss {name!r}", int(seen.item()))
        norm = torch.stack(torch._foreach_norm(list(self.system.parameters()))).sum()  # type: ignore[attr-defined]
        if not norm.isfinite():
            raise self._not_finite("a weight", self.seen)
        return {name: value.item() for name, value in self.update.losses.items()}

    def _not_finite(self, what: str, seen: int) -> TrainingError:
        good = checkpoint.states(self.run)
        kept = f"the last good state, {good[0]}, is kept" if good else "no state had been saved yet"
        go_on = "go on in float32 (--no-bf16), or " if self.schedule.bf16 else ""
        return TrainingError(
            f"{what} was not a finite number after {seen:,} examples; {kept}. To get further {go_on}start anew with "
            "another --out and smaller step sizes (--config.*-rate)"
        )

    def keep(self, outputs: Outputs) -> None:
        """Write the state to go on from, and the weights that draw."""
        self.measure()
        self.save()
        outputs.weights(self.average.system, self.seen)

    def measure(self) -> None:
        """Measure the averaged weights' batch statistics on fixed batches, if the weights are good."""
        self.check()
        system = self.average.system
        if isinstance(system, Normalised):
            torch.manual_seed(hash_of(self.seed, -1))
            fixed = (to_device(self.batches.batch(step), self.device) for step in range(self.schedule.measure_batches))
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.schedule.bf16):
                self.average.measure(system.measure, fixed)


def hash_of(seed: int, step: int) -> int:
    """A seed for torch from (seed, step): distinct for any two steps of a run, unrelated between runs."""
    return (seed * 0x9E3779B97F4A7C15 + (step + 1) * 0xD1B54A32D192ED03) % (1 << 63)


def to_device(batch: Any, device: torch.device) -> Any:
    """Move a batch, and its pixels from uint8 to [-1, 1]."""

    def moved(value: Tensor) -> Tensor:
        value = value.to(device, non_blocking=True)
        return pixels.to_float(value) if value.dtype == torch.uint8 else value

    return type(batch)(*(moved(value) for value in batch))
