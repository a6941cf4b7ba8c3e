"""What the benchmarks share: the machine's own speed, measured, and from it the least time a piece of work can take."""

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from telldraw import systems
from telldraw.batches import Facts
from telldraw.data.archive import Dataset
from telldraw.errors import DataError
from telldraw.text import PADDING, TELLER, UNKNOWN, Vocabulary


@dataclass(frozen=True)
class Machine:
    """What this machine does at best, as measured in the same process as what it is compared with."""

    operations: float
    """Floating point operations per second, of a matrix product in float32."""
    bytes: float
    """Bytes per second, read and written by a copy too large for any cache."""

    def floor(self, operations: float, bytes: float) -> float:
        """Least seconds: the work cannot be done faster than computed, nor than its operands can be moved."""
        return max(operations / self.operations, bytes / self.bytes)

    def __str__(self) -> str:
        return (
            f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}: "
            f"{self.operations / 1e9:,.0f} GFLOP/s (float32 matrix product), {self.bytes / 1e9:,.1f} GB/s (copy)"
        )


def seconds(work: Callable[[], Any], repeats: int, device: str = "cpu") -> list[float]:
    """Wall time of each of `repeats` calls, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return times[1:]


def machine(device: str = "cpu") -> Machine:
    """Measure the machine: the best of a few tries, because a floor is what nothing can be faster than."""
    side = 8192 if device.startswith("cuda") else 2048
    a, b = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
    flops = 2 * side**3 / min(seconds(lambda: a @ b, 5, device))
    large = torch.zeros(64 << 20, device=device)
    target = torch.empty_like(large)
    moved = 2 * large.numel() * 4 / min(seconds(lambda: target.copy_(large), 5, device))
    return Machine(flops, moved)


class Counter(TorchDispatchMode):
    """Adds up operations. torch's own FlopCounterMode also tracks modules, which fails inside a gradient penalty."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, packet = kwargs or {}, func._overloadpacket
        if packet not in flop_registry:
            with self:  # without gradients, conv2d and linear arrive whole and are counted by their parts
                parts = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if parts is NotImplemented else parts
        out = func(*args, **kwargs)
        self.total += flop_registry[packet](*args, **kwargs, out_val=out)
        return out


def operations(work: Callable[[], Any]) -> int:
    """Floating point operations of matrix products and convolutions in `work`, forward and backward."""
    with Counter() as counter:
        work()
    return counter.total


def facts(resolution: int, words: int = 3000, classes: int = 58) -> Facts:
    """A data set of the size of CoDraw, as far as a system must know it."""
    vocabulary = Vocabulary((PADDING, UNKNOWN, TELLER, "tree", "left", *(f"word{n}" for n in range(words))))
    background = np.full((resolution, resolution, 3), 200, np.uint8)
    return Facts("benchmark", "none", resolution, tuple(f"class{n}" for n in range(classes)), vocabulary, background)


def build(system: str, preset: str) -> tuple[Any, Facts]:
    """A system with random weights; its speed does not depend on them."""
    module = systems.load(system)
    config = module.PRESETS[preset]
    known = facts(config.resolution)
    torch.manual_seed(0)
    return module.build(config, known), known


def opened(data: Path) -> Dataset:
    """The prepared data set, or the end of the program with one sentence."""
    try:
        return Dataset.open(data)
    except DataError as error:
        raise SystemExit(str(error)) from None


def say(what: str, times: list[float], floor: float) -> None:
    """One figure beside its floor."""
    figure = statistics.median(times)
    print(
        f"{what:34} {1e3 * figure:9.1f} ms (fastest {1e3 * min(times):.1f}, of {len(times)})   "
        f"floor {1e3 * floor:8.1f} ms   {figure / floor:5.1f} x"
    )
